/** How a file is packed. */
export type Packing = "gzip" | "zstd";

/** The first bytes of each packing. The second one of zstd, which has one variable digit, is that of a frame to skip, with which some
 *  programs begin.
 *  Sources: https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1, https://www.rfc-editor.org/rfc/rfc8878#section-3.1 */
const signatures: readonly (readonly [packing: Packing, signature: RegExp])[] = [
  ["gzip", /^1f8b08/],
  ["zstd", /^(?:28b52ffd|5.2a4d18)/],
];
/** How many bytes `packingOf` needs. */
export const signatureBytes = 4;

/** @param head the file's first bytes
 *  @returns undefined if the file is not packed */
export function packingOf(head: Uint8Array): Packing | undefined {
  const digits = head.subarray(0, signatureBytes).toHex();
  return signatures.find(([, signature]) => signature.test(digits))?.[0];
}
