// Runs one kernel launch at a time. A launch on standard input:
//   name, blocks x y z, threads, shared bytes, order of turns, number of arguments, then each argument:
//   'b' bytes and the buffer, 'i' int32, 'l' int64, 'f' float32 (numbers are little-endian 64 bits).
// Then on standard output: all buffers, as the kernel left them.

#include "../../../src/kernels/gpu/kernels.cu"

#include <map>
#include <string>

struct Argument {
    std::vector<unsigned char> memory;
    size_t bytes = 0;
    long long whole = 0;
    float real = 0;
    bool buffer = false;

    // Buffers stand between guards, on a boundary like the device's.
    static const size_t GUARD = 4096;
    unsigned char *start() {
        const uintptr_t at = reinterpret_cast<uintptr_t>(memory.data()) + GUARD;
        return reinterpret_cast<unsigned char *>((at + 255) / 256 * 256);
    }
    void guarded(bool check) {
        for (unsigned char *p = memory.data(); p < memory.data() + memory.size(); p++) {
            if (p >= start() && p < start() + bytes) continue;
            if (check && *p != 0xA5) emulation::fail("a kernel wrote outside a tensor");
            *p = 0xA5;
        }
    }
};

static std::vector<Argument> arguments;
template <typename T> T as(size_t i) {
    Argument &a = arguments[i];
    if constexpr (std::is_pointer_v<T>) {
        if (!a.buffer) emulation::fail("an argument should be a tensor");
        return reinterpret_cast<T>(a.start());
    } else {
        if (a.buffer) emulation::fail("an argument should be a number");
        if constexpr (std::is_same_v<T, float>) return a.real;
        else return (T)a.whole;
    }
}
template <typename... A, size_t... I> void call(void (*f)(A...), std::index_sequence<I...>) {
    f(as<A>(I)...);
}
template <typename... A> std::function<void()> bound(void (*f)(A...)) {
    return [f] {
        if (arguments.size() != sizeof...(A)) emulation::fail("another number of arguments");
        call(f, std::index_sequence_for<A...>());
    };
}

#define NAMES(T)                                                                                   \
    {"patches_" #T, bound(patches_##T)}, {"embed_" #T, bound(embed_##T)},                          \
    {"norm_" #T, bound(norm_##T)}, {"add_norm_" #T, bound(add_norm_##T)},                          \
    {"add_" #T, bound(add_##T)}, {"gate_norm_" #T, bound(gate_norm_##T)},                          \
    {"norm_operand_" #T, bound(norm_operand_##T)}, {"norm_add_" #T, bound(norm_add_##T)},          \
    {"gelu_" #T, bound(gelu_##T)}, {"quick_gelu_" #T, bound(quick_gelu_##T)},                      \
    {"heads_" #T, bound(heads_##T)}, {"rotated_heads_" #T, bound(rotated_heads_##T)},              \
    {"softmax_" #T, bound(softmax_##T)}, {"thirds_" #T, bound(thirds_##T)},                        \
    {"forest_" #T, bound(forest_##T)}, {"unit_" #T, bound(unit_##T)}
#define SQUARES(T)                                                                                 \
    {"attention_" #T "_1", bound(attention_##T##_1)}, {"attention_" #T "_2", bound(attention_##T##_2)}, \
    {"attention_" #T "_4", bound(attention_##T##_4)}, {"attention_" #T "_6", bound(attention_##T##_6)}, \
    {"attention_" #T "_7", bound(attention_##T##_7)}

static long long number() {
    long long v;
    if (std::fread(&v, 8, 1, stdin) != 1) std::exit(0);  // no more launches
    return v;
}

int main() {
    const std::map<std::string, std::function<void()>> kernels = {
        NAMES(f32), NAMES(f16), NAMES(bf16), SQUARES(f16), SQUARES(bf16), {"rank", bound(rank)},
        {"product", bound(product)}};
    for (;;) {
        std::string name(number(), ' ');
        if (std::fread(&name[0], 1, name.size(), stdin) != name.size()) return 2;
        const long long x = number(), y = number(), z = number();
        const long long threads = number(), shared = number(), order = number();
        arguments.assign(number(), {});
        for (Argument &a : arguments) {
            const int kind = std::getchar();
            a.buffer = kind == 'b';
            if (kind == 'f') {
                if (std::fread(&a.real, 4, 1, stdin) != 1) return 2;
                continue;
            }
            const long long v = number();
            if (!a.buffer) {
                a.whole = v;
                continue;
            }
            a.bytes = v;
            a.memory.resize(a.bytes + 2 * Argument::GUARD + 256);
            a.guarded(false);
            if (a.bytes && std::fread(a.start(), a.bytes, 1, stdin) != 1) return 2;
        }
        const auto found = kernels.find(name);
        if (found == kernels.end()) emulation::fail(("no kernel " + name).c_str());
        emulation::launch({(unsigned)x, (unsigned)y, (unsigned)z}, threads, shared, order,
                          found->second);
        for (Argument &a : arguments)
            if (a.buffer) {
                a.guarded(true);
                std::fwrite(a.start(), 1, a.bytes, stdout);
            }
        std::fflush(stdout);
    }
}
