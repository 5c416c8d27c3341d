// Attention in the vision tower, for 16-bit numbers: a block walks over the keys once, and neither
// scores nor weights leave the registers (FlashAttention, arXiv 2205.14135 and 2307.08691).
//
// A warp has SQUARES squares of 16 queries. Of 16 x 8 sums a lane holds four: two neighbours in the
// row lane / 4, then two in the row eight below it.

#pragma once

#include "portable.h"

const int ATTENTION_WARPS = 4;
// Keys that are looked at together, and their values.
const int KEYS = 64;

// Numbers from one row in shared memory to the next: so many that the eight rows which are read
// together lie in different banks.
template <int TILES>
constexpr int PITCH = TILES * 16 + 8;

// Starts to copy `rows` rows from the `first` on; those that do not exist become zeros.
template <typename T, int TILES>
__device__ inline void copy_rows(T *to, const T *from, int first, int rows, int existing) {
    const int parts = TILES * 2;  // of 16 bytes, in a row
    for (int i = threadIdx.x; i < rows * parts; i += blockDim.x) {
        const int row = i / parts, channel = i % parts * 8;
        const bool exists = first + row < existing;
        const long long at = exists ? first + row : 0;
        copy_later(to + row * PITCH<TILES> + channel, from + at * TILES * 16 + channel, exists);
    }
}

// scores = queries x keys, and minus infinity for keys from `left` on; groups of 16 keys that are all
// behind it are not looked at.
template <typename T, int TILES, int SQUARES>
__device__ inline void score(float (&scores)[SQUARES][KEYS / 8][4],
                             const word (&queries)[SQUARES][TILES][4], const T *keys, int left) {
    const int lane = threadIdx.x % 32;
    const T *of_lane = keys + (lane % 8 + lane / 16 * 8) * PITCH<TILES> + lane / 8 % 2 * 8;
    UNROLL for (int s = 0; s < SQUARES; s++)
        UNROLL for (int n = 0; n < KEYS / 8; n++)
            UNROLL for (int j = 0; j < 4; j++) scores[s][n][j] = 0.0f;
    UNROLL for (int t = 0; t < TILES; t++)
        UNROLL for (int n = 0; n < KEYS / 16; n++) {
            if (n * 16 >= left) continue;
            word square[4];
            load_squares(square, of_lane + n * 16 * PITCH<TILES> + t * 16);
            UNROLL for (int s = 0; s < SQUARES; s++) {
                multiply_add<T>(scores[s][2 * n], queries[s][t], square[0], square[1]);
                multiply_add<T>(scores[s][2 * n + 1], queries[s][t], square[2], square[3]);
            }
        }
    if (left >= KEYS) return;
    UNROLL for (int s = 0; s < SQUARES; s++)
        UNROLL for (int n = 0; n < KEYS / 8; n++)
            UNROLL for (int j = 0; j < 4; j++)
                if (n * 8 + lane % 4 * 2 + j % 2 >= left) scores[s][n][j] = -INFINITY;
}

// Scores to weights, relative to the largest score so far; what was summed before is scaled to it.
template <int TILES, int SQUARES>
__device__ inline void weigh(float (&scores)[SQUARES][KEYS / 8][4],
                             float (&mixed)[SQUARES][2 * TILES][4], float (&most)[SQUARES][2],
                             float (&total)[SQUARES][2]) {
    UNROLL for (int s = 0; s < SQUARES; s++)
        UNROLL for (int half = 0; half < 2; half++) {
            float now = most[s][half];
            UNROLL for (int n = 0; n < KEYS / 8; n++)
                now = fmaxf(now, fmaxf(scores[s][n][2 * half], scores[s][n][2 * half + 1]));
            // Four lanes share a row.
            now = fmaxf(now, __shfl_xor_sync(0xffffffffu, now, 1));
            now = fmaxf(now, __shfl_xor_sync(0xffffffffu, now, 2));
            const float before = power_of_two((most[s][half] - now) * LOG2_E);
            const float offset = -now * LOG2_E;
            most[s][half] = now;
            float sum = 0.0f;
            UNROLL for (int n = 0; n < KEYS / 8; n++)
                UNROLL for (int j = 2 * half; j < 2 * half + 2; j++) {
                    scores[s][n][j] = power_of_two(fmaf(scores[s][n][j], LOG2_E, offset));
                    sum += scores[s][n][j];
                }
            total[s][half] = total[s][half] * before + sum;
            UNROLL for (int t = 0; t < 2 * TILES; t++) {
                mixed[s][t][2 * half] *= before;
                mixed[s][t][2 * half + 1] *= before;
            }
        }
}

// mixed += weights x values. The sums of a product are placed as the factors of the next one are.
template <typename T, int TILES, int SQUARES>
__device__ inline void mix(float (&mixed)[SQUARES][2 * TILES][4],
                           const float (&weights)[SQUARES][KEYS / 8][4], const T *values, int left) {
    const int lane = threadIdx.x % 32;
    const T *of_lane = values + lane % 16 * PITCH<TILES> + lane / 16 * 8;
    UNROLL for (int n = 0; n < KEYS / 16; n++) {
        if (n * 16 >= left) continue;
        word factors[SQUARES][4];
        UNROLL for (int s = 0; s < SQUARES; s++)
            UNROLL for (int j = 0; j < 4; j++)
                factors[s][j] = pair<T>(weights[s][2 * n + j / 2][j % 2 * 2],
                                        weights[s][2 * n + j / 2][j % 2 * 2 + 1]);
        UNROLL for (int t = 0; t < TILES; t++) {
            word square[4];
            load_squares_turned(square, of_lane + n * 16 * PITCH<TILES> + t * 16);
            UNROLL for (int s = 0; s < SQUARES; s++) {
                multiply_add<T>(mixed[s][2 * t], factors[s], square[0], square[1]);
                multiply_add<T>(mixed[s][2 * t + 1], factors[s], square[2], square[3]);
            }
        }
    }
}

// qkv [3, B * H, N, Dp] as `heads` leaves it -> [B * N, H * D]. Dp is TILES * 16, at most 112.
// Blocks are numbered by picture and head, then by queries.
template <typename T, int TILES, int SQUARES>
__device__ void attention(const T *qkv, T *out, int tokens, int heads, int head_dim) {
    const int of_warp = SQUARES * 16, of_block = ATTENTION_WARPS * of_warp;
    const int tile = KEYS * PITCH<TILES>;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int row = blockIdx.x, rows = gridDim.x;  // pictures and heads
    const int first = blockIdx.y * of_block, of_mine = first + warp * of_warp;
    const long long head = (long long)tokens * TILES * 16;
    const T *q = qkv + row * head;
    const T *k = qkv + ((long long)rows + row) * head;
    const T *v = qkv + (2LL * rows + row) * head;

    // Queries, two tiles of keys and two of values: while one is used, the next one is on its way.
    SHARED_FLOATS(shared);
    T *queries_there = reinterpret_cast<T *>(shared);
    T *keys_there = queries_there + of_block * PITCH<TILES>;
    T *values_there = keys_there + 2 * tile;
    copy_rows<T, TILES>(queries_there, q, first, of_block, tokens);
    copy_rows<T, TILES>(keys_there, k, 0, KEYS, tokens);
    close_copies();
    copy_rows<T, TILES>(values_there, v, 0, KEYS, tokens);
    close_copies();

    word queries[SQUARES][TILES][4];
    float mixed[SQUARES][2 * TILES][4], most[SQUARES][2], total[SQUARES][2];
    UNROLL for (int s = 0; s < SQUARES; s++) {
        UNROLL for (int t = 0; t < 2 * TILES; t++)
            UNROLL for (int j = 0; j < 4; j++) mixed[s][t][j] = 0.0f;
        UNROLL for (int half = 0; half < 2; half++) {
            most[s][half] = -INFINITY;
            total[s][half] = 0.0f;
        }
    }
    for (int from = 0, side = 0; from < tokens; from += KEYS, side ^= 1) {
        const int left = tokens - from;
        wait_for_copies<1>();
        __syncthreads();  // the keys are there, and nobody reads those of before any more
        if (left > KEYS)
            copy_rows<T, TILES>(keys_there + (side ^ 1) * tile, k, from + KEYS, KEYS, tokens);
        close_copies();
        if (from == 0)
            UNROLL for (int s = 0; s < SQUARES; s++)
                UNROLL for (int t = 0; t < TILES; t++)
                    load_squares(queries[s][t],
                                 queries_there +
                                     ((warp * SQUARES + s) * 16 + lane % 16) * PITCH<TILES> +
                                     t * 16 + lane / 16 * 8);
        float scores[SQUARES][KEYS / 8][4];
        score<T, TILES, SQUARES>(scores, queries, keys_there + side * tile, left);
        weigh<TILES, SQUARES>(scores, mixed, most, total);
        wait_for_copies<1>();
        __syncthreads();  // the same for the values
        if (left > KEYS)
            copy_rows<T, TILES>(values_there + (side ^ 1) * tile, v, from + KEYS, KEYS, tokens);
        close_copies();
        mix<T, TILES, SQUARES>(mixed, scores, values_there + side * tile, left);
    }

    const int width = heads * head_dim;
    T *of_head = out + (long long)(row / heads) * tokens * width + row % heads * head_dim;
    UNROLL for (int s = 0; s < SQUARES; s++)
        UNROLL for (int half = 0; half < 2; half++) {
            float sum = total[s][half];
            sum += __shfl_xor_sync(0xffffffffu, sum, 1);
            sum += __shfl_xor_sync(0xffffffffu, sum, 2);
            const float scale = 1.0f / sum;
            const int token = of_mine + s * 16 + half * 8 + lane / 4;
            UNROLL for (int t = 0; t < 2 * TILES; t++) {
                const int d = t * 8 + lane % 4 * 2;  // D is even
                if (token < tokens && d < head_dim)
                    *reinterpret_cast<word *>(of_head + (long long)token * width + d) = pair<T>(
                        mixed[s][t][2 * half] * scale, mixed[s][t][2 * half + 1] * scale);
            }
        }
}
