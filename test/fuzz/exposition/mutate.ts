/** Bytes that mean something in an exposition, and some that never may occur in it. */
const bytes = [...'\n\r\t "\\{}=,#:_aZ09.+-eEnN', "\0", "\u{1F5A5}"].map((text) => Buffer.from(text));
const pieces = [...bytes, ...[0x80, 0xc3, 0xff, 0x7f, 0x01].map((byte) => Buffer.from([byte]))];

/** Changes a line at one to three places: bytes are replaced, inserted, removed or repeated, or the line is cut off. */
export function mutated(line: Buffer, random: () => number): Buffer {
  let changed = line;
  for (let times = 1 + Math.floor(random() * 3); times > 0; times -= 1) changed = mutatedOnce(changed, random);
  return changed;
}

function mutatedOnce(line: Buffer, random: () => number): Buffer {
  const pick = (count: number): number => Math.floor(random() * count);
  const at = pick(line.length + 1);
  const to = Math.min(line.length, at + 1 + pick(random() < 0.2 ? 40 : 3));
  const piece = pieces[pick(pieces.length)] ?? Buffer.alloc(0);
  const [before, cut, after] = [line.subarray(0, at), line.subarray(at, to), line.subarray(to)];
  const changes = [
    [before, piece, cut, after],
    [before, piece, cut.subarray(1), after],
    [before, after],
    [before, cut, cut, after],
    [before],
  ];
  return Buffer.concat(changes[pick(changes.length)] ?? [line]);
}
