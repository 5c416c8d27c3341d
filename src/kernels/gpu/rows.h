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
// zero from there on to `pitch`, and so are the results, which `finish` gets with their place.
template <int STEP, typename F>
__device__ void norm_row(const float *row, const float *gamma, const float *beta, int width,
                         int pitch, float eps, F finish) {
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
        finish(i, v);
    }
}
// The same, to memory.
template <typename T, int STEP>
__device__ void norm_row(const float *row, const float *gamma, const float *beta, T *out,
                         int width, int pitch, float eps) {
    norm_row<STEP>(row, gamma, beta, width, pitch, eps,
                   [=](int i, const float (&v)[STEP]) { store(out + i, v); });
}

// x is f32 or T.
template <typename T, int STEP, typename X>
__device__ void norm(const X *x, const float *gamma, const float *beta, T *out, int width,
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

// sum = x + LayerNorm(y + bias), out = the same as it is multiplied.
template <typename T, int STEP>
__device__ void norm_add(const float *x, const T *y, const float *bias, const float *gamma,
                         const float *beta, float *sum, T *out, int width, float eps) {
    SHARED_FLOATS(row);
    const long long start = (long long)blockIdx.x * width;
    float a[STEP], b[STEP];
    FOR_STEPS(i, width) {
        load(a, y + start + i);
        load(b, bias + i);
        FOR_EACH(j) a[j] += b[j];
        store(row + i, a);
    }
    norm_row<STEP>(row, gamma, beta, width, width, eps, [=](int i, const float (&normed)[STEP]) {
        float v[STEP];
        load(v, x + start + i);
        FOR_EACH(j) v[j] += normed[j];
        store(sum + start + i, v);
        store(out + start + i, v);
    });
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

// v times the logistic function of `steepness` v.
__device__ inline float logistic_part(float v, float steepness) {
    return quotient(v, 1.0f + power_of_two(-steepness * v * LOG2_E));
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
        FOR_EACH(j) a[j] = logistic_part(a[j], 1.0f) * b[j];
        store(row + i, a);
    }
    norm_row<T, STEP>(row, gamma, beta, out + (long long)blockIdx.x * pitch, width, pitch, eps);
}

// In the erf form.
__device__ inline float gelu_of(float v) {
    return 0.5f * v * (1.0f + erff(v * 0.70710678118654752f));
}

// f(x + bias).
template <typename T, int STEP, typename F>
__device__ void activate(const T *x, const float *bias, T *out, int width, F f) {
    const long long start = (long long)blockIdx.x * width;
    float v[STEP], b[STEP];
    FOR_STEPS(i, width) {
        load(v, x + start + i);
        load(b, bias + i);
        FOR_EACH(j) v[j] = f(v[j] + b[j]);
        store(out + start + i, v);
    }
}
template <typename T, int STEP>
__device__ void gelu(const T *x, const float *bias, T *out, int width) {
    activate<T, STEP>(x, bias, out, width, [](float v) { return gelu_of(v); });
}
template <typename T, int STEP>
__device__ void quick_gelu(const T *x, const float *bias, T *out, int width) {
    activate<T, STEP>(x, bias, out, width, [](float v) { return logistic_part(v, 1.702f); });
}
