// What the kernels need beyond C++: CUDA's own, or, for tests on a CPU, an emulation of it.

#pragma once

#ifdef __CUDACC__

#include <cuda_bf16.h>
#include <cuda_fp16.h>

typedef __half f16;
typedef __nv_bfloat16 bf16;

#define KERNEL extern "C" __global__ void
// A kernel's threads, and the blocks of it that a multiprocessor is to hold.
#define RESIDENT(threads, blocks) __launch_bounds__(threads, blocks)
#define UNROLL _Pragma("unroll")
// The block's dynamic shared memory.
#define SHARED_FLOATS(name) extern __shared__ __align__(32) float name[]

template <typename T> __device__ inline T from_float(float v);
template <> __device__ inline float from_float<float>(float v) { return v; }
template <> __device__ inline f16 from_float<f16>(float v) { return __float2half_rn(v); }
template <> __device__ inline bf16 from_float<bf16>(float v) { return __float2bfloat16_rn(v); }
__device__ inline float to_float(float v) { return v; }
__device__ inline float to_float(f16 v) { return __half2float(v); }
__device__ inline float to_float(bf16 v) { return __bfloat162float(v); }

// Two 16-bit numbers, as the tensor cores take them from a register.
typedef unsigned word;
template <typename T> __device__ inline word pair(float low, float high);
template <> __device__ inline word pair<f16>(float low, float high) {
    const __half2 both = __floats2half2_rn(low, high);
    return *reinterpret_cast<const word *>(&both);
}
template <> __device__ inline word pair<bf16>(float low, float high) {
    const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<const word *>(&both);
}

__device__ inline word shared_address(const void *p) {
    return static_cast<word>(__cvta_generic_to_shared(p));
}
// Four squares of 8 x 8 from shared memory: lane i names row i % 8 of square i / 8, and gets, of each
// square, two neighbours in row i / 4.
template <typename T> __device__ inline void load_squares(word (&to)[4], const T *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(shared_address(row)));
}
// The same of the squares with rows and columns exchanged.
template <typename T> __device__ inline void load_squares_turned(word (&to)[4], const T *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(shared_address(row)));
}
// sum [16, 8] += a [16, 16] x b [16, 8].
#define MULTIPLY_ADD(NAME)                                                                         \
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." NAME "." NAME                            \
                 ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"            \
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])                          \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1))
template <typename T>
__device__ inline void multiply_add(float (&sum)[4], const word (&a)[4], word b0, word b1);
template <>
__device__ inline void multiply_add<f16>(float (&sum)[4], const word (&a)[4], word b0, word b1) {
    MULTIPLY_ADD("f16");
}
template <>
__device__ inline void multiply_add<bf16>(float (&sum)[4], const word (&a)[4], word b0, word b1) {
    MULTIPLY_ADD("bf16");
}

// Copies 16 bytes to shared memory, or zeros if they do not exist, while the thread goes on.
__device__ inline void copy_later(void *to, const void *from, bool exists) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)),
                 "l"(from), "r"(exists ? 16 : 0)
                 : "memory");
}
// Makes a group of the copies since the last one.
__device__ inline void close_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits for this thread's copies, but for those of the last LEFT groups.
template <int LEFT> __device__ inline void wait_for_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory");
}

// Only the emulation looks.
__device__ inline void check_aligned(const void *) {}

// To within two units in the last place.
__device__ inline float power_of_two(float v) {
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(v));
    return result;
}
// To within two units, for divisors up to 2^126.
__device__ inline float quotient(float a, float b) { return __fdividef(a, b); }

template <typename T> __device__ inline float half_of(word both, int half);
template <> __device__ inline float half_of<f16>(word both, int half) {
    return __half2float(__ushort_as_half((unsigned short)(both >> 16 * half)));
}
template <> __device__ inline float half_of<bf16>(word both, int half) {
    return __bfloat162float(__ushort_as_bfloat16((unsigned short)(both >> 16 * half)));
}

#else
#include "emulation.h"
#endif

const float LOG2_E = 1.4426950408889634f;

// Several numbers at once, from and to where the memory is aligned to all of them.

template <typename T>
__device__ inline void load_pair(float &a, float &b, const T *from) {
    const word both = *reinterpret_cast<const word *>(from);
    a = half_of<T>(both, 0);
    b = half_of<T>(both, 1);
}
__device__ inline void load_pair(float &a, float &b, const float *from) {
    a = from[0];
    b = from[1];
}
template <typename T>
__device__ inline void store_pair(T *to, float a, float b) {
    *reinterpret_cast<word *>(to) = pair<T>(a, b);
}
__device__ inline void store_pair(float *to, float a, float b) {
    to[0] = a;
    to[1] = b;
}

struct alignas(16) Words {
    word at[4];
};
struct alignas(16) Floats {
    float at[4];
};
template <typename T>
__device__ inline void load(float (&to)[8], const T *from) {
    check_aligned(from);
    const Words words = *reinterpret_cast<const Words *>(from);
    UNROLL for (int i = 0; i < 8; i++) to[i] = half_of<T>(words.at[i / 2], i % 2);
}
__device__ inline void load(float (&to)[8], const float *from) {
    check_aligned(from);
    UNROLL for (int i = 0; i < 8; i += 4) {
        const Floats floats = *reinterpret_cast<const Floats *>(from + i);
        UNROLL for (int j = 0; j < 4; j++) to[i + j] = floats.at[j];
    }
}
template <typename T>
__device__ inline void store(T *to, const float (&from)[8]) {
    check_aligned(to);
    Words words;
    UNROLL for (int i = 0; i < 4; i++) words.at[i] = pair<T>(from[2 * i], from[2 * i + 1]);
    *reinterpret_cast<Words *>(to) = words;
}
__device__ inline void store(float *to, const float (&from)[8]) {
    check_aligned(to);
    UNROLL for (int i = 0; i < 8; i += 4)
        *reinterpret_cast<Floats *>(to + i) = {{from[i], from[i + 1], from[i + 2], from[i + 3]}};
}
// One number, where rows are of no such length.
template <typename T>
__device__ inline void load(float (&to)[1], const T *from) {
    to[0] = to_float(*from);
}
template <typename T>
__device__ inline void store(T *to, const float (&from)[1]) {
    *to = from_float<T>(from[0]);
}
