/** The hash of an empty byte string, from which `hashStep` starts. */
export const hashStart = 0x811c9dc5 | 0;

/** One step of a 32-bit FNV-1a hash: adds a byte.
 *  Source: http://www.isthe.com/chongo/tech/comp/fnv/#FNV-1a */
export function hashStep(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

/** The FNV-1a hash of all bytes, as a signed 32-bit integer. */
export function hashOf(bytes: Uint8Array): number {
  let hash = hashStart;
  for (const byte of bytes) hash = hashStep(hash, byte);
  return hash;
}
