"""The sums of `overlap` over an image of logits with labels, and their slope, in loops that are compiled.

    forward    each pixel is read once; its probabilities wait for the backward where the gradient will be
    backward   the probabilities become the gradient where they stand

A pixel's numbers of all classes are in registers at once. A float32 exponential is 2^k times a polynomial (Cephes),
within two units of the last place.
"""

from ctypes import CDLL, c_int, c_int64

import torch
from torch import Tensor

from lossmith.kernels.cpp import load, pointer

FEW = 24  # classes, whose numbers of a few pixels are in the registers at once, or next to them

SOURCE = """
const int C = {classes};
const size B = 256, BLOCKS = 16;

static inline double power(double x) { return std::exp(x); }

static inline float power(float x) {  // of what is not above 0
    const float y = x < -87.0f ? -87.0f : x, shift = 12582912.0f, t = y * 1.44269504f + shift, k = t - shift;
    const float r = (y - k * 0.693359375f) + k * 2.12194440e-4f;
    float s = 1.9875691500e-4f;
    s = s * r + 1.3981999507e-3f; s = s * r + 8.3334519073e-3f; s = s * r + 4.1665795894e-2f;
    s = s * r + 1.6666665459e-1f; s = s * r + 5.0000001201e-1f;
    s = s * (r * r) + r + 1.0f;
    const int32_t two = __builtin_bit_cast(int32_t, t) - __builtin_bit_cast(int32_t, shift) + 127;
    const float made = s * __builtin_bit_cast(float, two << 23);
    return made * float(x >= -87.0f);
}

// The probabilities of each pixel, and of all classes but its own.
template <bool dense> static void chances(const real* __restrict x, size row, size step, const int32_t* label, size n,
                                          real* __restrict to, size to_row, size to_step, real* __restrict rest) {
    const size by = dense ? 1 : step, to_by = dense ? 1 : to_step;
    #pragma omp simd
    for (size i = 0; i < n; i++) {
        real e[C], top = x[i * by], own = 0, others = 0;
        #pragma GCC unroll 32
        for (int c = 1; c < C; c++) { const real v = x[c * row + i * by]; top = v > top ? v : top; }
        #pragma GCC unroll 32
        for (int c = 0; c < C; c++) {
            e[c] = power(x[c * row + i * by] - top);
            const real share = real(label[i] == c);  // products where branches would stop vectors
            own += e[c] * share; others += e[c] * (1 - share);
        }
        const real scale = 1 / (own + others);
        #pragma GCC unroll 32
        for (int c = 0; c < C; c++) to[c * to_row + i * to_by] = e[c] * scale;
        rest[i] = others * scale;
    }
}

// right, over, under and extent of each class in some pixels; a label below 0 is of no pixel that counts.
static void add(const real* p, size row, size step, const int32_t* label, const real* rest, size n, double* total) {
    for (int c = 0; c < C; c++) {
        const real* here = p + c * row;
        real right = 0, over = 0, under = 0, extent = 0;
        if (step == 1) {
            #pragma omp simd reduction(+:right,over,under,extent)
            for (size i = 0; i < n; i++) {
                const real share = real(label[i] == c), part = here[i] * share;
                right += part; over += (here[i] - part) * real(label[i] >= 0);
                under += rest[i] * share; extent += share;
            }
        } else for (size i = 0; i < n; i++) {
            const real share = real(label[i] == c), part = here[i * step] * share;
            right += part; over += (here[i * step] - part) * real(label[i] >= 0);
            under += rest[i] * share; extent += share;
        }
        total[c] += right; total[C + c] += over; total[2 * C + c] += under; total[3 * C + c] += extent;
    }
}

// Whether all of these are labels, from `least` on.
static bool named(const int64_t* labels, size n, int64_t least, int32_t* label) {
    int64_t wrong = 0;
    for (size i = 0; i < n; i++) { label[i] = int32_t(labels[i]); wrong |= (labels[i] < least) | (labels[i] >= C); }
    return !wrong;
}

extern "C" void sums(const real* x, size row, size step, const int64_t* labels, size P, real* room, size to_row,
                     size to_step, int64_t least, int sloped, real* total, int threads) {
    const size most = B * BLOCKS, parts = (P + most - 1) / most;
    std::vector<double> found(parts * 4 * C, 0.0);
    #pragma omp parallel for num_threads(threads) if (threads > 1)
    for (size part = 0; part < parts; part++) {
        const size end = (part + 1) * most < P ? (part + 1) * most : P;
        real mine[C * B], rest[B];
        int32_t label[B];
        for (size i = part * most; i < end; i += B) {
            const size n = i + B < end ? B : end - i, by = sloped ? to_step : 1, stride = sloped ? to_row : B;
            real* to = sloped ? room + i * to_step : mine;
            double* here = found.data() + part * 4 * C;
            if (!named(labels + i, n, least, label)) for (int k = 0; k < 4 * C; k++) here[k] = NAN;
            if (step == 1 && by == 1) chances<true>(x + i, row, 1, label, n, to, stride, 1, rest);
            else chances<false>(x + i * step, row, step, label, n, to, stride, by, rest);
            add(to, stride, by, label, rest, n, here);
        }
    }
    for (size k = 0; k < 4 * C; k++) {  // in one order, by however many threads
        double sum = 0;
        for (size part = 0; part < parts; part++) sum += found[part * 4 * C + k];
        total[k] = real(sum);
    }
}

template <bool dense> static void sloped(const real* slopes, const int32_t* label, size n, real* p, size row,
                                         size step) {
    const size by = dense ? 1 : step;
    real in[C], out[C];
    for (int c = 0; c < C; c++) { in[c] = slopes[c] - slopes[2 * C + c]; out[c] = slopes[C + c]; }
    #pragma omp simd
    for (size i = 0; i < n; i++) {
        real v[C], lead = 0, sum = 0;
        const real counts = real(label[i] >= 0);
        #pragma GCC unroll 32
        for (int c = 0; c < C; c++) {
            v[c] = label[i] == c ? in[c] : counts * out[c];
            lead += v[c] * real(p[c * row + i * by] > real(0.5));
        }
        #pragma GCC unroll 32
        for (int c = 0; c < C; c++) { v[c] = (v[c] - lead) * p[c * row + i * by]; sum += v[c]; }
        #pragma GCC unroll 32
        for (int c = 0; c < C; c++) p[c * row + i * by] = v[c] - p[c * row + i * by] * sum;
    }
}

// From the slopes by the three sums, (3, C), to the gradient, in the place of the probabilities.
extern "C" void pull(const real* slopes, const int64_t* labels, size P, real* room, size row, size step, int threads) {
    #pragma omp parallel for num_threads(threads) if (threads > 1)
    for (size first = 0; first < P; first += B) {
        const size n = first + B < P ? B : P - first;
        int32_t label[B];
        named(labels + first, n, -1, label);
        if (step == 1) sloped<true>(slopes, label, n, room + first, row, 1);
        else sloped<false>(slopes, label, n, room + first * step, row, step);
    }
}
"""


class Loops:
    """Sums and slopes of images: pred and room (P, C) of any strides, labels (P,), below 0 where they do not count."""

    def __init__(self, library: CDLL) -> None:
        self._library, self._threads = library, c_int(torch.get_num_threads())

    def sums(self, pred: Tensor, labels: Tensor, room: Tensor, *, least: int, sloped: bool) -> Tensor:
        """right, over, under and the extent of each class, (4, C); into `room` the probabilities, if that is `sloped`.

        NaN where there is a label below `least` or beyond the classes.
        """
        total = pred.new_empty(4, pred.shape[1])
        given = pointer(pred), *_steps(pred), pointer(labels), c_int64(len(labels))
        more = pointer(room), *_steps(room), c_int64(least), c_int(sloped), pointer(total)
        self._library.sums(*given, *more, self._threads)
        return total

    def pull(self, slopes: Tensor, labels: Tensor, room: Tensor) -> None:
        """The gradient in the place of the probabilities, from the slopes by the first three sums, (3, C)."""
        given = pointer(slopes.contiguous()), pointer(labels), c_int64(len(labels))
        self._library.pull(*given, pointer(room), *_steps(room), self._threads)


def loops_for(like: Tensor) -> Loops | None:
    """For as many classes as the last axis of these logits has; None for many, and where there is no compiler."""
    classes = like.shape[-1]
    library = load(SOURCE.replace("{classes}", str(classes)), like.dtype) if classes <= FEW else None
    return None if library is None else Loops(library)


def _steps(x: Tensor) -> tuple[c_int64, c_int64]:
    """From a class to the next, and from a pixel to the next."""
    return c_int64(x.stride(1)), c_int64(x.stride(0))
