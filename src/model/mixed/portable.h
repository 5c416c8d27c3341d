// What the kernels need beyond C++: CUDA's own, or, for tests on a CPU, an emulation of it.

#ifdef __CUDACC__

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>

typedef __half f16;
typedef __nv_bfloat16 bf16;

#define KERNEL extern "C" __global__ void
// The block's dynamic shared memory.
#define SHARED_FLOATS(name) extern __shared__ __align__(32) float name[]

template <typename T> __device__ inline T from_float(float v);
template <> __device__ inline float from_float<float>(float v) { return v; }
template <> __device__ inline f16 from_float<f16>(float v) { return __float2half_rn(v); }
template <> __device__ inline bf16 from_float<bf16>(float v) { return __float2bfloat16_rn(v); }
__device__ inline float to_float(float v) { return v; }
__device__ inline float to_float(f16 v) { return __half2float(v); }
__device__ inline float to_float(bf16 v) { return __bfloat162float(v); }

// Squares of 16 x 16 that a warp multiplies on the tensor cores.
namespace wmma = nvcuda::wmma;
template <typename T> using FragmentA = wmma::fragment<wmma::matrix_a, 16, 16, 16, T, wmma::row_major>;
template <typename T> using FragmentRows = wmma::fragment<wmma::matrix_b, 16, 16, 16, T, wmma::row_major>;
template <typename T> using FragmentColumns = wmma::fragment<wmma::matrix_b, 16, 16, 16, T, wmma::col_major>;
using FragmentSum = wmma::fragment<wmma::accumulator, 16, 16, 16, float>;
template <typename F, typename T> __device__ inline void load_matrix(F &f, const T *from, int pitch) {
    wmma::load_matrix_sync(f, from, pitch);
}
__device__ inline void store_matrix(float *to, const FragmentSum &f, int pitch) {
    wmma::store_matrix_sync(to, f, pitch, wmma::mem_row_major);
}
__device__ inline void fill(FragmentSum &f, float v) { wmma::fill_fragment(f, v); }
template <typename A, typename B> __device__ inline void multiply_add(FragmentSum &sum, const A &a, const B &b) {
    wmma::mma_sync(sum, a, b, sum);
}

#else
#include "emulation.h"
#endif
