// @ts-check
// A small network and its training, in plain JavaScript: two hidden layers of rectified units, softmax, cross-entropy,
// Adam. tests/app/learn/test_network.py holds it against the same computation in PyTorch.
//
//   D inputs    H hidden units    K outputs    weights lie row by row: weights[i * columns + j], input i to unit j

export const BETAS = [0.9, 0.999];
export const EPSILON = 1e-8;

/** @typedef {{inputs: number, hidden: number, outputs: number}} Sizes */

/** @param {Sizes} sizes @param {() => number} random uniform in [0, 1) */
export function network({ inputs: D, hidden: H, outputs: K }, random) {
  const drawn = (/** @type {number} */ rows, /** @type {number} */ columns) =>
    Float64Array.from({ length: rows * columns }, () => (2 * random() - 1) * Math.sqrt(2 / rows));
  const weights = [
    drawn(D, H),
    new Float64Array(H),
    drawn(H, H),
    new Float64Array(H),
    drawn(H, K),
    new Float64Array(K),
  ];
  const gradient = weights.map((w) => new Float64Array(w.length));
  const mean = weights.map((w) => new Float64Array(w.length)),
    square = weights.map((w) => new Float64Array(w.length));
  const first = new Float64Array(H),
    second = new Float64Array(H),
    out = new Float64Array(K);
  const down2 = new Float64Array(H),
    down1 = new Float64Array(H);
  let time = 0;

  /**
   * The odds (K,) behind one row of inputs (D,); the array is used again by the next call.
   * @param {ArrayLike<number>} x
   */
  function odds(x) {
    first.set(weights[1]);
    for (let i = 0; i < D; i++)
      if (x[i] !== 0) for (let j = 0, at = i * H; j < H; j++) first[j] += x[i] * weights[0][at + j];
    return fromFirst();
  }

  /** The same from the first layer's sums, which a grid of inputs shares. */
  function fromFirst() {
    second.set(weights[3]);
    for (let i = 0; i < H; i++) {
      if (first[i] <= 0) {
        first[i] = 0;
        continue;
      }
      for (let j = 0, at = i * H; j < H; j++) second[j] += first[i] * weights[2][at + j];
    }
    out.set(weights[5]);
    for (let i = 0; i < H; i++) {
      if (second[i] <= 0) {
        second[i] = 0;
        continue;
      }
      for (let k = 0, at = i * K; k < K; k++) out[k] += second[i] * weights[4][at + k];
    }
    let top = -Infinity,
      sum = 0;
    for (let k = 0; k < K; k++) if (out[k] > top) top = out[k];
    for (let k = 0; k < K; k++) sum += out[k] = Math.exp(out[k] - top);
    for (let k = 0; k < K; k++) out[k] /= sum;
    return out;
  }

  /**
   * The first layer's sums (H,) that some of the inputs bring, its constants left out.
   * @param {ArrayLike<number>} x
   * @param {number} from
   */
  function part(x, from) {
    const sums = new Float64Array(H);
    for (let i = 0; i < x.length; i++)
      if (x[i] !== 0) for (let j = 0, at = (from + i) * H; j < H; j++) sums[j] += x[i] * weights[0][at + j];
    return sums;
  }

  /** The odds where the first layer's sums are a + b. @param {Float64Array} a @param {Float64Array} b */
  function joined(a, b) {
    for (let j = 0; j < H; j++) first[j] = weights[1][j] + a[j] + b[j];
    return fromFirst();
  }

  /** Adds the gradient of one row's cross-entropy, weighted; returns the cross-entropy.
   * @param {ArrayLike<number>} x @param {number} target @param {number} weight */
  function learn(x, target, weight) {
    const loss = -Math.log(Math.max(odds(x)[target], 1e-300));
    down2.fill(0);
    for (let k = 0; k < K; k++) {
      const error = (out[k] - (k === target ? 1 : 0)) * weight;
      gradient[5][k] += error;
      for (let i = 0; i < H; i++) {
        gradient[4][i * K + k] += second[i] * error;
        if (second[i] > 0) down2[i] += weights[4][i * K + k] * error;
      }
    }
    down1.fill(0);
    for (let i = 0; i < H; i++) {
      if (first[i] <= 0) continue;
      let sum = 0;
      for (let j = 0, at = i * H; j < H; j++) {
        gradient[2][at + j] += first[i] * down2[j];
        sum += weights[2][at + j] * down2[j];
      }
      down1[i] = sum;
    }
    for (let j = 0; j < H; j++) {
      gradient[3][j] += down2[j];
      gradient[1][j] += down1[j];
    }
    for (let i = 0; i < D; i++)
      if (x[i] !== 0) for (let j = 0, at = i * H; j < H; j++) gradient[0][at + j] += x[i] * down1[j];
    return loss;
  }

  /**
   * One step of Adam on a batch; returns the mean cross-entropy.
   * @param {ArrayLike<number>[]} rows
   * @param {ArrayLike<number>} targets
   * @param {number} rate
   */
  function step(rows, targets, rate) {
    gradient.forEach((g) => g.fill(0));
    let loss = 0;
    for (let n = 0; n < rows.length; n++) loss += learn(rows[n], targets[n], 1 / rows.length);
    time += 1;
    const [b1, b2] = BETAS,
      scale1 = 1 - b1 ** time,
      scale2 = 1 - b2 ** time;
    weights.forEach((w, p) => {
      const g = gradient[p],
        m = mean[p],
        v = square[p];
      for (let i = 0; i < w.length; i++) {
        m[i] = b1 * m[i] + (1 - b1) * g[i];
        v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
        w[i] -= (rate * (m[i] / scale1)) / (Math.sqrt(v[i] / scale2) + EPSILON);
      }
    });
    return loss / rows.length;
  }

  return { weights, odds, part, joined, step };
}

/** @typedef {ReturnType<typeof network>} Network */
