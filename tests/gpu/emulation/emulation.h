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
#define RESIDENT(threads, blocks)
#define UNROLL
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
struct Copy {
    void *to;
    const void *from;
    bool exists;
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
// Of each thread, by group; the last one is open.
static std::vector<std::vector<Copy>> copies[1024];
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
        copies[t].assign(1, {});
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

// Two 16-bit numbers.
typedef uint32_t word;
template <typename T>
word pair(float low, float high) {
    return from_float<T>(low).bits | (word)from_float<T>(high).bits << 16;
}
template <typename T>
float half_of(word both, int half) {
    return to_float(T{(uint16_t)(both >> 16 * half)});
}

inline void check_aligned(const void *p) {
    if (reinterpret_cast<uintptr_t>(p) % 16 != 0) emulation::fail("16 bytes are not aligned");
}

// The tensor cores. What a lane holds of a square, PTX's description of ldmatrix and mma says.
template <typename T>
void load_squares(word (&to)[4], const T *row, bool turned = false) {
    static const T *rows[1024];
    const unsigned me = threadIdx.x, warp = me / 32 * 32, lane = me % 32;
    check_aligned(row);
    rows[me] = row;
    __syncwarp();
    for (unsigned square = 0; square < 4; square++) {
        const T **of_square = rows + warp + square * 8;
        const unsigned i = lane / 4, j = lane % 4 * 2;
        const T low = turned ? of_square[j][i] : of_square[i][j];
        const T high = turned ? of_square[j + 1][i] : of_square[i][j + 1];
        to[square] = low.bits | (word)high.bits << 16;
    }
    __syncwarp();
}
template <typename T>
void load_squares_turned(word (&to)[4], const T *row) {
    load_squares(to, row, true);
}
template <typename T>
void multiply_add(float (&sum)[4], const word (&a)[4], word b0, word b1) {
    static float of_a[1024][4][2], of_b[1024][2][2];
    const unsigned me = threadIdx.x, warp = me / 32 * 32, lane = me % 32;
    for (unsigned half = 0; half < 2; half++) {
        for (unsigned i = 0; i < 4; i++) of_a[me][i][half] = half_of<T>(a[i], half);
        of_b[me][0][half] = half_of<T>(b0, half);
        of_b[me][1][half] = half_of<T>(b1, half);
    }
    __syncwarp();
    for (unsigned at = 0; at < 4; at++) {
        const unsigned row = lane / 4 + at / 2 * 8, column = lane % 4 * 2 + at % 2;
        for (unsigned k = 0; k < 16; k++) {
            const unsigned pair = k % 8 / 2;  // of numbers, within a square of 8
            sum[at] += of_a[warp + row % 8 * 4 + pair][row / 8 + k / 8 * 2][k % 2] *
                       of_b[warp + column * 4 + pair][k / 8][k % 2];
        }
    }
    __syncwarp();
}

// Copies that are under way arrive as late as they may.
inline void copy_later(void *to, const void *from, bool exists) {
    check_aligned(to);
    check_aligned(from);
    emulation::copies[threadIdx.x].back().push_back({to, from, exists});
}
inline void close_copies() { emulation::copies[threadIdx.x].emplace_back(); }
template <unsigned LEFT>
void wait_for_copies() {
    auto &groups = emulation::copies[threadIdx.x];
    for (; groups.size() > LEFT + 1; groups.erase(groups.begin()))  // the last one is open
        for (const emulation::Copy &copy : groups.front())
            copy.exists ? std::memcpy(copy.to, copy.from, 16) : std::memset(copy.to, 0, 16);
}

inline float power_of_two(float v) { return std::exp2(v); }
inline float quotient(float a, float b) { return a / b; }
