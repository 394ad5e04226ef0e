/** Keys of older programs were small numbers that the database counted; keys from 2^52 on never equal them. */
export const gpuKeyMin = 2 ** 52;
/** The greatest key, `Number.MAX_SAFE_INTEGER`. */
export const gpuKeyMax = 2 ** 53 - 1;

/** The key of a GPU in the store: 2^52 plus the first 52 bits of the SHA-256 of its uuid. It follows from the uuid alone, so
 *  every process and every database has the same key for a GPU. A number that a database counts would name another GPU once
 *  another database answers, such as a standby that lagged.
 *
 *  52 bits, because a key then is an exact double: in typed arrays, cursors, JSON and float8. Among 10^5 GPUs, the probability
 *  that two have the same key is 10^-6, among 10^6 GPUs it is 10^-4. `insertGpus` detects it and refuses the second GPU. */
export function gpuKeyOf(uuid: string): number {
  return keyOfText(uuid);
}

/** 2^52 plus the first 52 bits of the SHA-256 of a text. */
export function keyOfText(text: string): number {
  const digest = Bun.SHA256.hash(text);
  const byte = (index: number): number => digest[index] as number;
  // 6 bytes and the upper half of the seventh
  let bits = 0;
  for (let index = 0; index < 6; index += 1) bits = bits * 256 + byte(index);
  return gpuKeyMin + bits * 16 + (byte(6) >> 4);
}
