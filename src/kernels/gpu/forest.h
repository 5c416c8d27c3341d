// Attention in the text tower: each node of a forest to itself and its ancestors.

#pragma once

#include "portable.h"
#include "sums.h"

// Nothing, where there is no largest score.
__device__ inline float finite_or_zero(float most) { return most == -INFINITY ? 0.0f : most; }

// Where a node and head are in q and the output, and the paths to look at: a warp's work. The rows that
// node n attends to are path[start[n] .. start[n + 1]].
struct Unit {
    int node, channel, width, first, end;
};

// For heads of any size. The warp looks at four rows at a time, so that they are on their way together.
template <typename T>
__device__ void forest_in_turn(const T *q, const T *k, const T *v, const unsigned *path, T *out,
                               Unit unit, int head_dim, float scale) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const long long own = (long long)unit.node * unit.width + unit.channel;
    // A lane reads only what itself has written.
    SHARED_FLOATS(shared);
    float *query = shared + warp * 2 * head_dim, *sum = query + head_dim;
    for (int d = lane; d < head_dim; d += 32) {
        query[d] = to_float(q[own + d]) * scale;
        sum[d] = 0.0f;
    }
    float most = -INFINITY, total = 0.0f;
    for (int first = unit.first; first < unit.end; first += 4) {
        long long from[4];
        float scores[4];
        UNROLL for (int j = 0; j < 4; j++) {
            const int i = first + j < unit.end ? first + j : unit.end - 1;
            from[j] = (long long)path[i] * unit.width + unit.channel;
            scores[j] = 0.0f;
        }
        for (int d = lane; d < head_dim; d += 32)
            UNROLL for (int j = 0; j < 4; j++) scores[j] += query[d] * to_float(k[from[j] + d]);
        float now = most;
        UNROLL for (int j = 0; j < 4; j++) {
            scores[j] = warp_sum(scores[j]);
            if (first + j >= unit.end) scores[j] = -INFINITY;
            now = fmaxf(now, scores[j]);
        }
        const float before = expf(most - now);
        total *= before;
        UNROLL for (int j = 0; j < 4; j++) {
            scores[j] = expf(scores[j] - now);
            total += scores[j];
        }
        for (int d = lane; d < head_dim; d += 32) {
            float mixed = sum[d] * before;
            UNROLL for (int j = 0; j < 4; j++) mixed += scores[j] * to_float(v[from[j] + d]);
            sum[d] = mixed;
        }
        most = now;
    }
    for (int d = lane; d < head_dim; d += 32) out[own + d] = from_float<T>(sum[d] / total);
}

// For heads whose channels divide among 1, 2, 4 … 32 lanes, eight for each: so many lanes are a group,
// and each group looks at other rows.
template <typename T>
__device__ void forest_in_groups(const T *q, const T *k, const T *v, const unsigned *path, T *out,
                                 Unit unit, int head_dim, float scale) {
    const int lane = threadIdx.x % 32, lanes = head_dim / 8;
    const int channel = unit.channel + lane % lanes * 8;
    const long long own = (long long)unit.node * unit.width + channel;
    float query[8], sum[8], key[8], value[8];
    load(query, q + own);
    UNROLL for (int j = 0; j < 8; j++) {
        query[j] *= scale;
        sum[j] = 0.0f;
    }
    float most = -INFINITY, total = 0.0f;
    for (int first = unit.first; first < unit.end; first += 32 / lanes) {
        const int i = first + lane / lanes;
        const long long row = path[i < unit.end ? i : unit.end - 1];
        load(key, k + row * unit.width + channel);
        load(value, v + row * unit.width + channel);
        float score = 0.0f;
        UNROLL for (int j = 0; j < 8; j++) score += query[j] * key[j];
        for (int other = 1; other < lanes; other *= 2)
            score += __shfl_xor_sync(0xffffffffu, score, other);
        if (i >= unit.end) score = -INFINITY;
        const float now = fmaxf(most, score);
        const float base = finite_or_zero(now);  // a group may not have seen a row yet
        const float before = expf(most - base), weight = expf(score - base);
        total = total * before + weight;
        UNROLL for (int j = 0; j < 8; j++) sum[j] = sum[j] * before + weight * value[j];
        most = now;
    }
    for (int other = lanes; other < 32; other *= 2) {
        const float others = __shfl_xor_sync(0xffffffffu, most, other);
        const float now = fmaxf(most, others);
        const float base = finite_or_zero(now);
        const float mine = expf(most - base), its = expf(others - base);
        total = total * mine + __shfl_xor_sync(0xffffffffu, total, other) * its;
        UNROLL for (int j = 0; j < 8; j++)
            sum[j] = sum[j] * mine + __shfl_xor_sync(0xffffffffu, sum[j], other) * its;
        most = now;
    }
    UNROLL for (int j = 0; j < 8; j++) sum[j] /= total;
    if (lane < lanes) store(out + own, sum);
}

// q [N, W], k and v [P + N, W] -> [N, W]. A warp for each node and head.
template <typename T>
__device__ void forest(const T *q, const T *k, const T *v, const unsigned *start,
                       const unsigned *path, T *out, int nodes, int heads, int head_dim,
                       float scale) {
    const long long warp = (long long)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (warp >= (long long)nodes * heads) return;
    const int node = warp / heads;
    const Unit unit = {node, (int)(warp % heads) * head_dim, heads * head_dim, (int)start[node],
                       (int)start[node + 1]};
    if (head_dim % 8 == 0 && 32 % (head_dim / 8) == 0)
        forest_in_groups(q, k, v, path, out, unit, head_dim, scale);
    else
        forest_in_turn(q, k, v, path, out, unit, head_dim, scale);
}
