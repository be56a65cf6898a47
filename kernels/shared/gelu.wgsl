// erf, exact GELU x · Φ(x) (Hendrycks and Gimpel 2016, arXiv:1606.08415) and its derivative.
//
// The kernel says what it computes with: `alias Real = f32;` or `alias Real = vec4f;`.

// erf by a rational approximation on [-4, 4] (about 2 ulp), 1 beyond.
fn erf(x: Real) -> Real {
  let y = clamp(x, Real(-4.0), Real(4.0));
  let z = y * y;
  var p = z * -2.72614225801306e-10 + 2.77068142495902e-08;
  p = z * p - 2.10102402082508e-06;
  p = z * p - 5.69250639462346e-05;
  p = z * p - 7.34990630326855e-04;
  p = z * p - 2.95459980854025e-03;
  p = z * p - 1.60960333262415e-02;
  var q = z * -1.45660718464996e-05 - 2.13374055278905e-04;
  q = z * q - 1.68282697438203e-03;
  q = z * q - 7.37332916720468e-03;
  q = z * q - 1.42647390514189e-02;
  return y * p / q;
}

fn gelu(x: Real) -> Real {
  return 0.5 * x * (1.0 + erf(x * 0.70710678118));
}

fn gelu_grad(x: Real) -> Real {
  // Beyond |x| = 12 the term x · density is nothing beside 1; the bound keeps it so for any x.
  let w = clamp(x, Real(-12.0), Real(12.0));
  return 0.5 * (1.0 + erf(x * 0.70710678118)) + w * 0.3989422804 * exp(-0.5 * w * w);
}
