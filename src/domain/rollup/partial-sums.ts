/** Adds a double to a sum that is kept exactly, as doubles that do not overlap, in ascending order of magnitude.
 *  Source: J. R. Shewchuk, Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric Predicates (1997), GROW-EXPANSION
 *  @param partials the sum; changed in place */
export function addPartial(partials: number[], value: number): void {
  if (!Number.isFinite(value) || (partials.length === 1 && !Number.isFinite(partials[0]))) {
    // nothing exact is left of a sum with an infinity
    partials.splice(0, partials.length, (Number.isFinite(partials[0] ?? 0) ? 0 : (partials[0] as number)) + value);
    return;
  }
  let kept = 0;
  let sum = value;
  for (const partial of partials) {
    const [large, small] = Math.abs(sum) < Math.abs(partial) ? [partial, sum] : [sum, partial];
    sum = large + small;
    const rest = small - (sum - large);
    if (rest !== 0) partials[kept++] = rest;
  }
  partials.length = kept;
  if (sum !== 0) partials.push(sum);
}

/** The double that is nearest to the sum, so that it is the same in whatever order the values were added.
 *  Source: https://github.com/python/cpython/blob/v3.13.0/Modules/mathmodule.c (math.fsum) */
export function nearestSum(partials: readonly number[]): number {
  let left = partials.length - 1;
  let sum = partials[left] ?? 0;
  let rest = 0;
  while (left > 0 && rest === 0) {
    left -= 1;
    const partial = partials[left] as number;
    const before = sum;
    sum = before + partial;
    rest = partial - (sum - before);
  }
  // a rest of exactly half a unit was rounded to even: the partials below decide
  const below = left > 0 ? (partials[left - 1] as number) : 0;
  if ((rest < 0 && below < 0) || (rest > 0 && below > 0)) {
    const doubled = rest * 2;
    const other = sum + doubled;
    if (doubled === other - sum) return other;
  }
  return sum;
}
