/** Bytes and texts that mean something in some format, and some that never may occur in it. */
const usualPieces = [
  ..."\n\r\t \"'\\{}[]()<>=,;#:&%?/_aZ09.+-eEnN$@*",
  ...[
    "\0",
    "\u{1F5A5}",
    "\u202e",
    "\u00a0",
    "\u2028",
    "\ufeff",
    "é",
    "\ufffd",
    "null",
    "true",
    "{}",
    "[]",
    '""',
    "-0",
    "1e999",
  ],
  ...[
    "__proto__",
    "constructor",
    "NaN",
    "Infinity",
    "9007199254740993",
    "-1",
    "0x10",
    "%00",
    "%zz",
    "..",
    "\\u0000",
    "\\ud800",
  ],
].map((text) => Buffer.from(text));
const pieces = [...usualPieces, ...[0x80, 0xc3, 0xff, 0x7f, 0x01].map((byte) => Buffer.from([byte]))];

/** Changes an input at one to three places: bytes are replaced, inserted, removed or repeated, or the input is cut off; rarely, a part is
 *  repeated many times. */
export function mutated(input: Uint8Array, random: () => number): Buffer {
  let changed = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  for (let times = 1 + Math.floor(random() * 3); times > 0; times -= 1) changed = mutatedOnce(changed, random);
  return changed;
}

function mutatedOnce(input: Buffer, random: () => number): Buffer<ArrayBuffer> {
  const pick = (count: number): number => Math.floor(random() * count);
  const at = pick(input.length + 1);
  const to = Math.min(input.length, at + 1 + pick(random() < 0.2 ? 40 : 3));
  const piece = pieces[pick(pieces.length)] ?? Buffer.alloc(0);
  const [before, cut, after] = [input.subarray(0, at), input.subarray(at, to), input.subarray(to)];
  if (random() < 0.005) return Buffer.concat([before, ...Array<Buffer>(1 << pick(11)).fill(cut), after]);
  const changes = [
    [before, piece, cut, after],
    [before, piece, cut.subarray(1), after],
    [before, after],
    [before, cut, cut, after],
    [before],
  ];
  return Buffer.concat(changes[pick(changes.length)] ?? [input]);
}
