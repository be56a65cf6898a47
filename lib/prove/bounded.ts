/**
 * Numbers in float64 that carry how far float32 may be from them: the reference of a kernel computes a value and its
 * bound together, so that no tolerance is chosen by hand.
 *
 * The bounds are those of Higham, Accuracy and Stability of Numerical Algorithms (2002), chapter 3, for sums in any
 * order, with the accuracy that WGSL asks of its functions (W3C, WebGPU Shading Language, section 15.7.4.1). A
 * compiler may fuse a product and a sum, which only takes a rounding away.
 *
 * @module
 */
import { erf } from "./erf.ts";

/** Unit roundoff of float32; an ulp is at most two of them, relative to the value. */
const U = 2 ** -24, ULP = 2 ** -23;
/** What may be flushed to 0. */
const TINY = 2 ** -126;
/** Absolute error of the kernels' rational erf (kernels/shared/gelu.wgsl): 2 ulp, and the roundings of its steps. */
const ERF = 8 * U;

/** γ_n = n u / (1 − n u): relative error of n roundings. */
export function gamma(n: number): number {
  return n * U / (1 - n * U);
}

/** A value, and how far what float32 makes of it may be away. */
export class Bounded {
  /** The value. */
  readonly v: number;
  /** The bound of its error. */
  readonly e: number;

  /** A number that is exact, but for what is said. */
  constructor(v: number, e = 0) {
    this.v = v;
    this.e = e;
  }

  /** After an operation of so many ulps. */
  #rounded(v: number, e: number, error = U): Bounded {
    return new Bounded(v, e + error * (Math.abs(v) + e) + TINY);
  }

  /** this + b. */
  add(b: Bounded | number): Bounded {
    const { v, e } = of(b);
    return this.#rounded(this.v + v, this.e + e);
  }

  /** this − b. */
  sub(b: Bounded | number): Bounded {
    const { v, e } = of(b);
    return this.#rounded(this.v - v, this.e + e);
  }

  /** this · b. */
  mul(b: Bounded | number): Bounded {
    const { v, e } = of(b);
    return this.#rounded(
      this.v * v,
      Math.abs(this.v) * e + Math.abs(v) * this.e + this.e * e,
    );
  }

  /** this / b: 2.5 ulp. */
  div(b: Bounded | number): Bounded {
    const { v, e } = of(b);
    const q = this.v / v;
    const least = Math.abs(v) - e;
    if (!(least > 0)) return new Bounded(q, Infinity);
    return this.#rounded(q, (this.e + Math.abs(q) * e) / least, 2.5 * ULP);
  }

  /** e^this: 3 + 2 |x| ulp. */
  exp(): Bounded {
    const v = Math.exp(this.v);
    return this.#rounded(v, v * Math.expm1(this.e), (3 + 2 * Math.abs(this.v)) * ULP);
  }

  /** Its natural logarithm: 3 ulp, and 2⁻²¹ between ½ and 2. */
  log(): Bounded {
    const v = Math.log(this.v), least = this.v - this.e;
    if (!(least > 0)) return new Bounded(v, Infinity);
    return new Bounded(v, this.e / least + Math.max(2 ** -21, 3 * ULP * Math.abs(v)));
  }

  /** Its square root: as 1 / inverseSqrt, 2 + 2.5 ulp. */
  sqrt(): Bounded {
    const v = Math.sqrt(Math.max(0, this.v));
    const least = this.v - this.e;
    const e = least > 0 ? this.e / (v + Math.sqrt(least)) : Math.sqrt(this.e);
    return this.#rounded(v, e, 4.5 * ULP);
  }

  /** 1 / √this: 2 ulp. */
  inverseSqrt(): Bounded {
    const v = 1 / Math.sqrt(this.v), least = this.v - this.e;
    if (!(least > 0)) return new Bounded(v, Infinity);
    return this.#rounded(v, 1 / Math.sqrt(least) - v, 2 * ULP);
  }

  /** Exact GELU, x Φ(x), as kernels/shared/gelu.wgsl makes it; its slope is at most 1.13. */
  gelu(): Bounded {
    const { v: x, e } = this;
    const v = 0.5 * x * (1 + erf(x * Math.SQRT1_2));
    return this.#rounded(v, 1.13 * e + 0.5 * Math.abs(x) * (ERF + 2 * U), 2 * U);
  }

  /** The derivative of GELU; its slope is at most 0.8. */
  geluGrad(): Bounded {
    const { v: x, e } = this;
    const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
    const v = 0.5 * (1 + erf(x * Math.SQRT1_2)) + x * density;
    const own = Math.abs(x) * density * ((3 + x * x) * ULP + 6 * U + x * x * U);
    return this.#rounded(v, 0.8 * e + 0.5 * (ERF + 2 * U) + own);
  }

  /** 1 / (1 + e^−x). */
  sigmoid(): Bounded {
    return new Bounded(1).div(new Bounded(-this.v, this.e).exp().add(1));
  }

  /** The larger one: exact. */
  max(b: Bounded | number): Bounded {
    const { v, e } = of(b);
    return new Bounded(Math.max(this.v, v), Math.max(this.e, e));
  }

  /** The smaller one: exact. */
  min(b: Bounded | number): Bounded {
    const { v, e } = of(b);
    return new Bounded(Math.min(this.v, v), Math.max(this.e, e));
  }

  /** Its negative: exact. */
  neg(): Bounded {
    return new Bounded(-this.v, this.e);
  }
}

function of(x: Bounded | number): Bounded {
  return typeof x === "number" ? new Bounded(x) : x;
}

/** An exact number. */
export function exact(v: number): Bounded {
  return new Bounded(v);
}

/** A sum in whatever order: its error is at most γ_(n − 1) Σ |term|, beside the errors of its terms. */
export class Sum {
  #sum = 0;
  #size = 0;
  #errors = 0;
  #terms = 0;

  /** One more term. */
  add(term: Bounded | number): this {
    const { v, e } = of(term);
    this.#sum += v;
    this.#size += Math.abs(v);
    this.#errors += e;
    this.#terms++;
    return this;
  }

  /** One more product of exact numbers. */
  addProduct(a: number, b: number): this {
    const v = a * b;
    this.#sum += v;
    this.#size += Math.abs(v);
    this.#errors += U * Math.abs(v) + TINY;
    this.#terms++;
    return this;
  }

  /** What it is. */
  get value(): Bounded {
    const { e } = this.error(this.#terms);
    return new Bounded(this.#sum, e);
  }

  /** What it is, with so many roundings of every term. */
  error(roundings: number): Bounded {
    return new Bounded(
      this.#sum,
      this.#errors + gamma(roundings) * (this.#size + this.#errors),
    );
  }
}

/** Σ of n terms. */
export function sum(n: number, term: (i: number) => Bounded | number): Bounded {
  const all = new Sum();
  for (let i = 0; i < n; i++) all.add(term(i));
  return all.value;
}

/** Σ of n products of exact numbers. */
export function dot(n: number, a: (i: number) => number, b: (i: number) => number): Bounded {
  const all = new Sum();
  for (let i = 0; i < n; i++) all.addProduct(a(i), b(i));
  return all.value;
}
