// What happens between the matrix products, on a GPU: T is what they multiply (f32, f16 or bf16),
// all other arithmetic is f32. `model::backend::plain` says in candle's operations what each kernel computes.
//
// With its headers it is plain C++ but for what `portable.h` declares, so that a test runs the same
// source on a CPU, thread by thread.

#include "attention.h"
#include "forest.h"
#include "portable.h"
#include "rows.h"
#include "sums.h"

// ---- Pictures to the residual stream.

// pixels [B, S, S, 3] -> normalised patches [B * grid * grid, 3 * patch * patch]. A block for each.
template <typename T>
__device__ void patches(const unsigned char *pixels, const float *mean, const float *std, T *out,
                        int grid, int patch) {
    const int size = grid * patch, area = patch * patch;
    const int x = blockIdx.x % grid * patch, y = blockIdx.x / grid % grid * patch;
    const long long picture = blockIdx.x / grid / grid;
    T *row = out + (long long)blockIdx.x * 3 * area;
    for (int i = threadIdx.x; i < 3 * area; i += blockDim.x) {
        const int channel = i / area, at = i % area;
        const long long pixel = (picture * size + y + at / patch) * size + x + at % patch;
        const float unit = (float)pixels[pixel * 3 + channel] / 255.0f;
        row[i] = from_float<T>((unit - mean[channel]) / std[channel]);
    }
}

// Products of the patches [B * (N - 1), W], bias [W], class token [W], positions [N, W] ->
// [B * N, W]. A block for each row.
template <typename T>
__device__ void embed(const T *products, const float *bias, const float *cls,
                      const float *positions, float *out, int tokens, int width) {
    const int token = blockIdx.x % tokens, picture = blockIdx.x / tokens;
    const long long from = ((long long)picture * (tokens - 1) + token - 1) * width;
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        const float v = token == 0 ? cls[i] : to_float(products[from + i]) + bias[i];
        out[(long long)blockIdx.x * width + i] = v + positions[token * width + i];
    }
}

// ---- Attention in the vision tower.

// qkv [B * N, 3 * H * D] and its bias -> q, k, v [3, B * H, Np, Dp]: with the bias, q and k rotated
// by cos and sin [N, D] if they are to be, q scaled, zeros where Np and Dp are more than N and D. D is
// even. Blocks are numbered by picture and head, `of_block` tokens, and q, k or v.
template <typename T, bool ROTATED>
__device__ void heads(const T *qkv, const float *bias, const float *cos, const float *sin, T *out,
                      int tokens, int heads, int head_dim, int padded_tokens, int padded_dim,
                      int of_block, float scale) {
    const int pairs = padded_dim / 2;
    const int part = blockIdx.z, row = blockIdx.x, width = heads * head_dim;
    for (int i = threadIdx.x; i < of_block * pairs; i += blockDim.x) {
        const int token = blockIdx.y * of_block + i / pairs, d = i % pairs * 2;
        if (token >= padded_tokens) return;
        float a = 0.0f, b = 0.0f;
        if (token < tokens && d < head_dim) {
            const int channel = part * width + row % heads * head_dim + d;
            load_pair(a, b, qkv + ((long long)(row / heads) * tokens + token) * 3 * width + channel);
            a += bias[channel];
            b += bias[channel + 1];
            if (ROTATED && part < 2) {
                // Adjacent channels turn together: (a, b) -> (a cos - b sin, b cos + a sin).
                const int angle = token * head_dim + d;
                const float turned = a * cos[angle] - b * sin[angle];
                b = b * cos[angle + 1] + a * sin[angle + 1];
                a = turned;
            }
            if (part == 0) {
                a *= scale;
                b *= scale;
            }
        }
        const long long to = ((long long)part * gridDim.x + row) * padded_tokens + token;
        store_pair(out + to * padded_dim + d, a, b);
    }
}

// Softmax of the first `tokens` values of each row of [R, padded]; zeros behind. One block for each.
template <typename T>
__device__ void softmax(const T *scores, T *out, int tokens, int padded) {
    SHARED_FLOATS(row);
    const long long start = (long long)blockIdx.x * padded;
    // All warps look at the whole row: it is short, and nothing need be exchanged.
    const int lane = threadIdx.x % 32;
    float most = -INFINITY;
    for (int i = lane; i < tokens; i += 32) most = fmaxf(most, to_float(scores[start + i]));
    most = warp_max(most);
    float sum = 0.0f;
    for (int i = threadIdx.x; i < tokens; i += blockDim.x) {
        row[i] = expf(to_float(scores[start + i]) - most);
        sum += row[i];
    }
    sum = block_sum(sum);
    for (int i = threadIdx.x; i < padded; i += blockDim.x)
        out[start + i] = from_float<T>(i < tokens ? row[i] / sum : 0.0f);
}

// ---- Attention in the text tower.

// x [R, 3 * width] and its bias -> three tensors [3, R, width]. A block for each row.
template <typename T>
__device__ void thirds(const T *x, const float *bias, T *out, int width) {
    const long long row = blockIdx.x, rows = gridDim.x;
    for (int i = threadIdx.x; i < 3 * width; i += blockDim.x)
        out[(i / width * rows + row) * width + i % width] =
            from_float<T>(to_float(x[row * 3 * width + i]) + bias[i]);
}

// ---- Products of f32, where cuBLAS would round the factors.

// a [R, K], b [C, K] -> [R, C]. A block for each 32 x 32 of it, of 256 threads.
__device__ inline void product_rows(const float *a, const float *b, float *out, int rows,
                                    int columns, int depth) {
    const int tile = 32, pitch = tile + 1;
    SHARED_FLOATS(shared);
    float *of_a = shared, *of_b = shared + tile * pitch;
    const int x = threadIdx.x % tile, y = threadIdx.x / tile, step = blockDim.x / tile;
    const int row = blockIdx.x * tile, column = blockIdx.y * tile;
    float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int from = 0; from < depth; from += tile) {
        __syncthreads();  // nobody reads the tiles of before any more
        const int at = from + x;
        for (int i = y; i < tile; i += step) {
            const bool in_a = row + i < rows && at < depth;
            const bool in_b = column + i < columns && at < depth;
            of_a[i * pitch + x] = in_a ? a[(long long)(row + i) * depth + at] : 0.0f;
            of_b[i * pitch + x] = in_b ? b[(long long)(column + i) * depth + at] : 0.0f;
        }
        __syncthreads();
        for (int i = 0; i < tile; i++)
            UNROLL for (int j = 0; j < 4; j++)
                sums[j] += of_a[(y + j * step) * pitch + i] * of_b[x * pitch + i];
    }
    for (int j = 0; j < 4; j++) {
        const int i = row + y + j * step;
        if (i < rows && column + x < columns) out[(long long)i * columns + column + x] = sums[j];
    }
}

// ---- Ranking.

// Rows [R, width] scaled to unit length. One block for each.
template <typename T>
__device__ void unit(const T *x, float *out, int width) {
    const long long start = (long long)blockIdx.x * width;
    float squares = 0.0f;
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        const float v = to_float(x[start + i]);
        squares += v * v;
    }
    const float length = fmaxf(sqrtf(block_sum(squares)), 1e-12f);
    for (int i = threadIdx.x; i < width; i += blockDim.x)
        out[start + i] = to_float(x[start + i]) / length;
}

// Whether a class ranks before another: higher logit, then lower index.
__device__ inline bool before(float a, int class_a, float b, int class_b) {
    return a > b || (a == b && class_a < class_b);
}

// cosines [R, columns]; class c has the cosine of column column_of[c]. Per row 2 * top + 2 values:
// the `top` best classes, their logits, the softmax of the best, and 1 if all logits are finite. Class
// indices are below 2^24 and so exact. A warp for each row.
__device__ inline void rank_rows(const float *cosines, const unsigned *column_of, float *out,
                                 int columns, int classes, int top, float scale) {
    const int lane = threadIdx.x % 32;
    const float *of_row = cosines + (long long)blockIdx.x * columns;
    float *result = out + (long long)blockIdx.x * (2 * top + 2);
    float finite = 1.0f, last = INFINITY, sum = 0.0f;
    int last_class = -1;
    for (int c = lane; c < classes; c += 32)
        if (!isfinite(scale * of_row[column_of[c]])) finite = 0.0f;
    finite = -warp_max(-finite);
    for (int place = 0; place < top; place++) {
        float best = -INFINITY;
        int best_class = classes;
        for (int c = lane; c < classes; c += 32) {
            const float logit = scale * of_row[column_of[c]];
            if (before(last, last_class, logit, c) && before(logit, c, best, best_class)) {
                best = logit;
                best_class = c;
            }
        }
        for (int lanes = 16; lanes > 0; lanes /= 2) {
            const float logit = __shfl_xor_sync(0xffffffffu, best, lanes);
            const int c = __shfl_xor_sync(0xffffffffu, best_class, lanes);
            if (before(logit, c, best, best_class)) {
                best = logit;
                best_class = c;
            }
        }
        if (place == 0) {
            for (int c = lane; c < classes; c += 32) sum += expf(scale * of_row[column_of[c]] - best);
            sum = warp_sum(sum);
        }
        if (lane == 0) {
            result[place] = (float)best_class;
            result[top + place] = best;
        }
        last = best;
        last_class = best_class;
    }
    if (lane == 0) {
        result[2 * top] = 1.0f / sum;
        result[2 * top + 1] = finite;
    }
}

// ---- Names to call them by, for each type.

#define FOR_TYPE(NAME, T)                                                                          \
    KERNEL patches_##NAME(const unsigned char *pixels, const float *mean, const float *std, T *out, \
                          int grid, int patch) {                                                   \
        patches<T>(pixels, mean, std, out, grid, patch);                                           \
    }                                                                                              \
    KERNEL embed_##NAME(const T *products, const float *bias, const float *cls,                    \
                        const float *positions, float *out, int tokens, int width) {               \
        embed<T>(products, bias, cls, positions, out, tokens, width);                              \
    }                                                                                              \
    KERNEL norm_##NAME(const float *x, const float *gamma, const float *beta, T *out, int width,   \
                       float eps) {                                                                \
        IN_STEPS(T, width, norm, x, gamma, beta, out, width, eps)                                  \
    }                                                                                              \
    KERNEL norm_operand_##NAME(const T *x, const float *gamma, const float *beta, T *out,          \
                               int width, float eps) {                                             \
        IN_STEPS(T, width, norm, x, gamma, beta, out, width, eps)                                  \
    }                                                                                              \
    KERNEL norm_add_##NAME(const float *x, const T *y, const float *bias, const float *gamma,      \
                           const float *beta, float *sum, T *out, int width, float eps) {          \
        IN_STEPS(T, width, norm_add, x, y, bias, gamma, beta, sum, out, width, eps)                \
    }                                                                                              \
    KERNEL add_norm_##NAME(const float *x, const T *y, const float *bias, const float *gamma,      \
                           const float *beta, float *sum, T *out, int width, float eps) {          \
        IN_STEPS(T, width, add_norm, x, y, bias, gamma, beta, sum, out, width, eps)                \
    }                                                                                              \
    KERNEL add_##NAME(const float *x, const T *y, const float *bias, float *out, int width) {      \
        IN_STEPS(T, width, add, x, y, bias, out, width)                                            \
    }                                                                                              \
    KERNEL gate_norm_##NAME(const T *both, const float *bias, const float *gamma,                  \
                            const float *beta, T *out, int width, int pitch, float eps) {          \
        IN_STEPS(T, pitch, gate_norm, both, bias, gamma, beta, out, width, pitch, eps)             \
    }                                                                                              \
    KERNEL gelu_##NAME(const T *x, const float *bias, T *out, int width) {                         \
        IN_STEPS(T, width, gelu, x, bias, out, width)                                              \
    }                                                                                              \
    KERNEL quick_gelu_##NAME(const T *x, const float *bias, T *out, int width) {                   \
        IN_STEPS(T, width, quick_gelu, x, bias, out, width)                                        \
    }                                                                                              \
    KERNEL heads_##NAME(const T *qkv, const float *bias, T *out, int tokens, int n, int head_dim,  \
                        int padded_tokens, int padded_dim, int of_block, float scale) {            \
        heads<T, false>(qkv, bias, nullptr, nullptr, out, tokens, n, head_dim, padded_tokens,      \
                        padded_dim, of_block, scale);                                              \
    }                                                                                              \
    KERNEL rotated_heads_##NAME(const T *qkv, const float *bias, const float *cos,                 \
                                const float *sin, T *out, int tokens, int n, int head_dim,         \
                                int padded_tokens, int padded_dim, int of_block, float scale) {    \
        heads<T, true>(qkv, bias, cos, sin, out, tokens, n, head_dim, padded_tokens, padded_dim,   \
                       of_block, scale);                                                           \
    }                                                                                              \
    KERNEL softmax_##NAME(const T *scores, T *out, int tokens, int padded) {                       \
        softmax<T>(scores, out, tokens, padded);                                                   \
    }                                                                                              \
    KERNEL thirds_##NAME(const T *x, const float *bias, T *out, int width) {                       \
        thirds<T>(x, bias, out, width);                                                            \
    }                                                                                              \
    KERNEL forest_##NAME(const T *q, const T *k, const T *v, const unsigned *start,                \
                         const unsigned *path, T *out, int nodes, int n, int head_dim,             \
                         float scale) {                                                            \
        forest<T>(q, k, v, start, path, out, nodes, n, head_dim, scale);                           \
    }                                                                                              \
    KERNEL unit_##NAME(const T *x, float *out, int width) { unit<T>(x, out, width); }

// Tensor cores multiply 16-bit numbers. The tiles of a head are known when this is compiled; the
// squares of a warp and the blocks at a time are what the registers suffice for.
#define ATTENTION(NAME, T, TILES, SQUARES, BLOCKS)                                                 \
    KERNEL RESIDENT(32 * ATTENTION_WARPS, BLOCKS)                                                  \
        attention_##NAME##_##TILES(const T *qkv, T *out, int tokens, int n, int head_dim) {        \
        attention<T, TILES, SQUARES>(qkv, out, tokens, n, head_dim);                               \
    }
#define ATTENTIONS(NAME, T)                                                                        \
    ATTENTION(NAME, T, 1, 2, 2)                                                                    \
    ATTENTION(NAME, T, 2, 2, 2)                                                                    \
    ATTENTION(NAME, T, 4, 2, 2)                                                                    \
    ATTENTION(NAME, T, 6, 1, 3)                                                                    \
    ATTENTION(NAME, T, 7, 1, 2)

FOR_TYPE(f32, float)
FOR_TYPE(f16, f16)
FOR_TYPE(bf16, bf16)
ATTENTIONS(f16, f16)
ATTENTIONS(bf16, bf16)

KERNEL product(const float *a, const float *b, float *out, int rows, int columns, int depth) {
    product_rows(a, b, out, rows, columns, depth);
}

KERNEL rank(const float *cosines, const unsigned *column_of, float *out, int columns, int classes,
            int top, float scale) {
    rank_rows(cosines, column_of, out, columns, classes, top, scale);
}
