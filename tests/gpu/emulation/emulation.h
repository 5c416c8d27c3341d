// CUDA on a CPU, for tests: the threads of a block are fibres that take turns and switch only where
// they wait for each other. Shared memory starts as NaN, and the order of turns can be another, so
// that a missing barrier shows: 0 is from the first thread to the last, 1 the reverse, and with 2
// some warps miss some turns.

#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#define __device__
#define __shared__ static
#define KERNEL extern "C" void
#define SHARED_FLOATS(name) float *name = emulation::shared

struct Place {
    unsigned x = 0, y = 0, z = 0;
};
static Place threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {

const size_t STACK = 256 << 10;

struct Barrier {
    unsigned arrived = 0, living = 0, generation = 0;

    // The barrier opens when all threads that live have arrived.
    void open_if_complete() {
        if (arrived < living || living == 0) return;
        arrived = 0;
        generation++;
    }
};
struct Fibre {
    ucontext_t context;  // to begin with
    jmp_buf place;       // to go on from
    std::vector<char> stack = std::vector<char>(STACK);
    bool begun = false, done = true;
};

static float *shared;
static std::vector<Fibre> fibres;
static jmp_buf scheduler;
static unsigned current, threads;
static Barrier of_block, of_warp[32];
static uint32_t exchanged[2][1024];
static bool side[1024];
static bool progress;
static std::function<void()> kernel;

[[noreturn]] inline void fail(const char *why) {
    std::fprintf(stderr, "emulation: %s\n", why);
    std::exit(3);
}

inline void wait(Barrier &barrier) {
    const unsigned generation = barrier.generation;
    barrier.arrived++;
    barrier.open_if_complete();
    while (barrier.generation == generation)
        if (_setjmp(fibres[current].place) == 0) _longjmp(scheduler, 1);
    progress = true;
}

inline void run() {
    kernel();
    fibres[current].done = true;
    for (Barrier *barrier : {&of_block, &of_warp[current / 32]}) {
        barrier->living--;
        barrier->open_if_complete();
    }
    progress = true;
    _longjmp(scheduler, 1);
}

// Lets a thread run until it waits or ends.
inline void turn(Fibre &fibre) {
    if (_setjmp(scheduler) != 0) return;
    if (fibre.begun) _longjmp(fibre.place, 1);
    fibre.begun = true;
    setcontext(&fibre.context);
}

inline void run_block(int order) {
    of_block = {};
    for (Barrier &barrier : of_warp) barrier = {};
    for (unsigned t = 0; t < threads; t++) {
        Fibre &fibre = fibres[t];
        getcontext(&fibre.context);
        fibre.context.uc_stack.ss_sp = fibre.stack.data();
        fibre.context.uc_stack.ss_size = STACK;
        fibre.context.uc_link = nullptr;
        makecontext(&fibre.context, run, 0);
        fibre.begun = fibre.done = false;
        of_block.living++;
        of_warp[t / 32].living++;
        side[t] = false;
    }
    static uint32_t noise = 1;
    uint32_t sleeping = 0;  // warps
    unsigned idle = 0;      // passes in which nobody got any further
    for (unsigned living = threads; living > 0;) {
        progress = false;
        living = 0;
        if (order == 2) {
            noise = noise * 1664525 + 1013904223;
            sleeping = noise >> 8 & noise >> 16;
        }
        for (unsigned i = 0; i < threads; i++) {
            current = order == 1 ? threads - 1 - i : i;
            if (fibres[current].done) continue;
            if (sleeping >> current / 32 & 1) {
                living++;
                continue;
            }
            threadIdx = {current, 0, 0};
            turn(fibres[current]);
            living += !fibres[current].done;
        }
        idle = progress ? 0 : idle + 1;
        if (living > 0 && idle > 1000) fail("the threads wait for each other for ever");
    }
}

inline void launch(Place blocks, unsigned block, size_t shared_bytes, int order,
                   std::function<void()> call) {
    threads = block;
    blockDim = {block, 1, 1};
    gridDim = blocks;
    kernel = std::move(call);
    if (fibres.size() < block) fibres.resize(block);
    // A guard behind the shared memory shows writes beyond it.
    const size_t floats = shared_bytes / sizeof(float), guard = 1024;
    std::vector<float> memory(floats + guard + 8);
    shared = reinterpret_cast<float *>((reinterpret_cast<uintptr_t>(memory.data()) + 31) / 32 * 32);
    for (blockIdx.z = 0; blockIdx.z < blocks.z; blockIdx.z++)
        for (blockIdx.y = 0; blockIdx.y < blocks.y; blockIdx.y++)
            for (blockIdx.x = 0; blockIdx.x < blocks.x; blockIdx.x++) {
                for (size_t i = 0; i < floats + guard; i++) shared[i] = i < floats ? NAN : 12345.0f;
                run_block(order);
                for (size_t i = floats; i < floats + guard; i++)
                    if (shared[i] != 12345.0f) fail("a kernel wrote beyond its shared memory");
            }
}

}  // namespace emulation

// A fibre that switched away finds its own number again when it goes on.
inline void __syncthreads() {
    const Place mine = threadIdx;
    emulation::wait(emulation::of_block);
    threadIdx = mine;
}
inline void __syncwarp() {
    const Place mine = threadIdx;
    emulation::wait(emulation::of_warp[mine.x / 32]);
    threadIdx = mine;
}
template <typename T>
T __shfl_xor_sync(unsigned, T value, int mask) {
    static_assert(sizeof(T) == 4, "registers have 32 bits");
    // Two sides in turn: a lane that is ahead does not overwrite what another has not read yet.
    const unsigned me = threadIdx.x;
    uint32_t *exchanged = emulation::exchanged[emulation::side[me]];
    emulation::side[me] = !emulation::side[me];
    std::memcpy(&exchanged[me], &value, 4);
    __syncwarp();
    T other;
    std::memcpy(&other, &exchanged[me ^ mask], 4);
    return other;
}
using std::isfinite;

// The 16-bit types: rounded to nearest, ties to even.
struct bf16 {
    uint16_t bits;
};
struct f16 {
    uint16_t bits;
};
inline float to_float(float v) { return v; }
inline float to_float(bf16 v) {
    const uint32_t bits = (uint32_t)v.bits << 16;
    float out;
    std::memcpy(&out, &bits, 4);
    return out;
}
inline float to_float(f16 v) {
    const int exponent = v.bits >> 10 & 31, mantissa = v.bits & 1023;
    float out = exponent == 31  ? (mantissa ? NAN : INFINITY)
                : exponent == 0 ? std::ldexp((float)mantissa, -24)
                                : std::ldexp((float)(mantissa + 1024), exponent - 25);
    return v.bits >> 15 ? -out : out;
}
template <typename T>
T from_float(float v);
template <>
inline float from_float<float>(float v) { return v; }
template <>
inline bf16 from_float<bf16>(float v) {
    uint32_t bits;
    std::memcpy(&bits, &v, 4);
    if (std::isnan(v)) return {0x7fff};
    return {(uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}
template <>
inline f16 from_float<f16>(float v) {
    const uint16_t sign = std::signbit(v) ? 0x8000 : 0;
    const float size = std::fabs(v);
    if (std::isnan(v)) return {0x7fff};
    if (size == 0.0f) return {sign};
    if (size >= 65520.0f) return {(uint16_t)(sign | 0x7c00)};
    int exponent;
    std::frexp(size, &exponent);  // size = 0.5..1 * 2^exponent
    const int step = exponent < -13 ? -24 : exponent - 11;
    const long mantissa = std::lrint(std::ldexp(size, -step));  // to nearest, ties to even
    // A mantissa that rounded up to 2048 carries into the exponent by itself.
    if (step == -24) return {(uint16_t)(sign | mantissa)};
    return {(uint16_t)(sign | (((step + 24) << 10) + mantissa))};
}

// The tensor cores: every lane holds the whole square.
template <typename T>
struct FragmentA {
    float v[16][16];
};
template <typename T>
struct FragmentRows {
    float v[16][16];
};
template <typename T>
struct FragmentColumns {
    float v[16][16];
};
struct FragmentSum {
    float v[16][16];
};
inline void check_aligned(const void *p, int pitch) {
    if (reinterpret_cast<uintptr_t>(p) % 32 != 0) emulation::fail("a square is not aligned");
    if (pitch % 8 != 0) emulation::fail("a pitch is not a multiple of 8");
}
template <template <typename> class F, typename T>
void load_rows(F<T> &f, const T *from, int pitch) {
    check_aligned(from, pitch);
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) f.v[i][j] = to_float(from[i * pitch + j]);
}
template <typename T>
void load_matrix(FragmentA<T> &f, const T *from, int pitch) { load_rows(f, from, pitch); }
template <typename T>
void load_matrix(FragmentRows<T> &f, const T *from, int pitch) { load_rows(f, from, pitch); }
template <typename T>
void load_matrix(FragmentColumns<T> &f, const T *from, int pitch) {
    check_aligned(from, pitch);
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) f.v[j][i] = to_float(from[i * pitch + j]);
}
inline void fill(FragmentSum &f, float v) {
    for (auto &row : f.v)
        for (float &value : row) value = v;
}
template <typename A, typename B>
void multiply_add(FragmentSum &sum, const A &a, const B &b) {
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 16; k++)
            for (int j = 0; j < 16; j++) sum.v[i][j] += a.v[i][k] * b.v[k][j];
}
// Each lane writes its eighth of the square, in an order of its own.
inline void store_matrix(float *to, const FragmentSum &f, int pitch) {
    check_aligned(to, pitch);
    for (int i = 0; i < 8; i++) {
        const int at = (threadIdx.x % 32 * 8 + i) * 37 % 256;
        to[at / 16 * pitch + at % 16] = f.v[at / 16][at % 16];
    }
}
