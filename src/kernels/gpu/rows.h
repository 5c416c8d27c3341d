// The residual stream and what else is normalised: one block for each row. It goes over the row in steps
// of eight numbers where the row's length allows that, and of one where not.

#pragma once

#include "portable.h"
#include "sums.h"

#define IN_STEPS(T, length, body, ...)                                                             \
    if ((length) % 8 == 0)                                                                         \
        body<T, 8>(__VA_ARGS__);                                                                   \
    else                                                                                           \
        body<T, 1>(__VA_ARGS__);
// Where the steps of a thread begin, one after the other.
#define FOR_STEPS(i, length)                                                                       \
    for (int i = threadIdx.x * STEP; i < (length); i += blockDim.x * STEP)
#define FOR_EACH(j) UNROLL for (int j = 0; j < STEP; j++)

// LayerNorm of a row in shared memory, by one block: of its first `width` values. gamma and beta are
// zero from there on to `pitch`, and so are the results.
template <typename T, int STEP>
__device__ void norm_row(const float *row, const float *gamma, const float *beta, T *out,
                         int width, int pitch, float eps) {
    float sum = 0.0f, v[STEP], g[STEP], b[STEP];
    FOR_STEPS(i, pitch) {
        load(v, row + i);
        FOR_EACH(j) sum += i + j < width ? v[j] : 0.0f;
    }
    const float mean = block_sum(sum) / (float)width;
    float squares = 0.0f;
    FOR_STEPS(i, pitch) {
        load(v, row + i);
        FOR_EACH(j) {
            const float d = i + j < width ? v[j] - mean : 0.0f;
            squares += d * d;
        }
    }
    const float scale = 1.0f / sqrtf(block_sum(squares) / (float)width + eps);
    FOR_STEPS(i, pitch) {
        load(v, row + i);
        load(g, gamma + i);
        load(b, beta + i);
        FOR_EACH(j) v[j] = (v[j] - mean) * scale * g[j] + b[j];
        store(out + i, v);
    }
}

template <typename T, int STEP>
__device__ void norm(const float *x, const float *gamma, const float *beta, T *out, int width,
                     float eps) {
    SHARED_FLOATS(row);
    const long long start = (long long)blockIdx.x * width;
    float v[STEP];
    FOR_STEPS(i, width) {
        load(v, x + start + i);
        store(row + i, v);
    }
    norm_row<T, STEP>(row, gamma, beta, out + start, width, width, eps);
}

// v = x + (y + bias), from the i-th on.
template <typename T, int STEP>
__device__ inline void add_at(float (&v)[STEP], const float *x, const T *y, const float *bias,
                              long long start, int i) {
    float a[STEP], b[STEP];
    load(v, x + start + i);
    load(a, y + start + i);
    load(b, bias + i);
    FOR_EACH(j) v[j] += a[j] + b[j];
}

// sum = x + (y + bias), out = LayerNorm(sum).
template <typename T, int STEP>
__device__ void add_norm(const float *x, const T *y, const float *bias, const float *gamma,
                         const float *beta, float *sum, T *out, int width, float eps) {
    SHARED_FLOATS(row);
    const long long start = (long long)blockIdx.x * width;
    float v[STEP];
    FOR_STEPS(i, width) {
        add_at<T, STEP>(v, x, y, bias, start, i);
        store(row + i, v);
        store(sum + start + i, v);
    }
    norm_row<T, STEP>(row, gamma, beta, out + start, width, width, eps);
}

// x + (y + bias).
template <typename T, int STEP>
__device__ void add(const float *x, const T *y, const float *bias, float *out, int width) {
    const long long start = (long long)blockIdx.x * width;
    float v[STEP];
    FOR_STEPS(i, width) {
        add_at<T, STEP>(v, x, y, bias, start, i);
        store(out + start + i, v);
    }
}

// both [R, 2 * pitch], bias [2 * pitch]: LayerNorm(silu(first half) * second half) of the first
// `width` channels of each half: out [R, pitch].
template <typename T, int STEP>
__device__ void gate_norm(const T *both, const float *bias, const float *gamma, const float *beta,
                          T *out, int width, int pitch, float eps) {
    SHARED_FLOATS(row);
    const T *first = both + (long long)blockIdx.x * 2 * pitch;
    float a[STEP], b[STEP], c[STEP];
    FOR_STEPS(i, pitch) {
        load(a, first + i);
        load(c, bias + i);
        FOR_EACH(j) a[j] += c[j];
        load(b, first + pitch + i);
        load(c, bias + pitch + i);
        FOR_EACH(j) b[j] += c[j];
        FOR_EACH(j) a[j] = quotient(a[j], 1.0f + power_of_two(-a[j] * LOG2_E)) * b[j];
        store(row + i, a);
    }
    norm_row<T, STEP>(row, gamma, beta, out + (long long)blockIdx.x * pitch, width, pitch, eps);
}

// gelu(x + bias), in the erf form.
template <typename T, int STEP>
__device__ void gelu(const T *x, const float *bias, T *out, int width) {
    const long long start = (long long)blockIdx.x * width;
    float v[STEP], b[STEP];
    FOR_STEPS(i, width) {
        load(v, x + start + i);
        load(b, bias + i);
        FOR_EACH(j) {
            v[j] += b[j];
            v[j] = 0.5f * v[j] * (1.0f + erff(v[j] * 0.70710678118654752f));
        }
        store(out + start + i, v);
    }
}
