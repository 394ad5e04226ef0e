const varintMaxBytes = 5;

/** The length of the content, which a block of snappy has at its beginning.
 *  Source: https://github.com/google/snappy/blob/main/format_description.txt */
export function lengthOfBlock(packed: Uint8Array): number {
  let length = 0;
  for (let at = 0; at < varintMaxBytes; at += 1) {
    const byte = packed[at] ?? 0;
    length += (byte & 127) * 128 ** at;
    if (byte < 128) break;
  }
  return length;
}

/** How many bytes the elements of a block become. Where that is another number than at its beginning, the package that unpacks it leaves
 *  bytes out, or adds zeros. */
export function lengthOfElements(packed: Uint8Array): number {
  let length = 0;
  let at = 1 + packed.subarray(0, varintMaxBytes - 1).findIndex((byte) => byte < 128);
  if (at === 0) at = varintMaxBytes;
  while (at < packed.length) {
    const tag = packed[at] as number;
    const [count, bytes] = elementOf(tag, packed, at + 1);
    length += count;
    at += 1 + bytes;
  }
  return length;
}

/** @param at the place after the tag
 *  @returns how many bytes the element becomes, and how many follow its tag */
function elementOf(tag: number, packed: Uint8Array, at: number): readonly [count: number, bytes: number] {
  const high = tag >>> 2;
  const kind = tag & 3;
  if (kind === 1) return [(high & 7) + 4, 1];
  if (kind !== 0) return [high + 1, kind === 2 ? 2 : 4];
  if (high < 60) return [high + 1, high + 1];
  const digits = high - 59;
  let count = 1;
  for (let digit = 0; digit < digits; digit += 1) count += (packed[at + digit] ?? 0) * 256 ** digit;
  return [count, digits + count];
}
