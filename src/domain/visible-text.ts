// What a terminal, a log or a page shows can differ from what a text has: characters that are not seen, reverse the text around
// them, control the terminal, or look like others. People see such a character as its JSON escape: \u202e. What is stored, and the
// values that programs read, stay as they are.

const plainText = /^[ -~]*$/;

/** Characters that are not seen, control the display or change the order of the text around them; spaces other than U+0020; half
 *  of a character. */
const unseen = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\p{Cs}\u2800]|[^\P{Zs} ]/gu;
/** Marks that would combine with what is not theirs, or that are piled up. */
const strayMark = /(?<![\p{L}\p{N}\p{M}])\p{M}|(?<=\p{M}{3})\p{M}/gu;
/** Parts of letters that a single character could stand for: in a text that is not NFC. */
const partOfLetter = /[\p{M}\u1160-\u11ff]/gu;
/** Other forms of letters, digits, `-`, `.`, `/` and `:`: mathematical ones, wide ones, hyphens. */
const otherForm =
  /[\u{1d400}-\u{1d7ff}\uff0d-\uff19\uff21-\uff3a\uff3f\uff41-\uff5a\u2010-\u2012\u2043\u2212\u02d7\u2024\u2044\u2215\u29f8\u02d0\ua789\u2236]/gu;
/** Cyrillic and Greek letters that look like Latin ones. */
const likeLatin = /[аеорсухѕіјһԁԛԝӏАВЕКМНОРСТУХЅІЈԜӀανορυϲϳΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹ]/gu;
const cyrillicOrGreek = /[\p{Script=Cyrillic}\p{Script=Greek}]/gu;
const latin = /\p{Script=Latin}/u;

/** A text of one line as people see it: what deceives is escaped, and so are spaces at both ends. The same text again has nothing
 *  more to escape. */
export function visible(text: string): string {
  if (plainText.test(text) && !text.startsWith(" ") && !text.endsWith(" ")) return text;
  const inner = text.trim();
  const start = text.indexOf(inner);
  const ends = [text.slice(0, start), text.slice(start + inner.length)].map((end) => end.replaceAll(" ", "\\u0020"));
  return marked(`${ends[0] ?? ""}${inner}${ends[1] ?? ""}`);
}

/** Several lines as people see them: like `visible`, but line breaks, tabs and spaces at the ends stay. In a JSON text, the values
 *  stay what they are, because only strings have such characters. */
export function visibleLines(text: string): string {
  const lines = text.split("\n");
  return lines.map((line) => (plainText.test(line) ? line : line.split("\t").map(marked).join("\t"))).join("\n");
}

/** True if people see the text as it is. */
export function isVisible(text: string): boolean {
  return visible(text) === text;
}

/** The JSON escape of a character. */
export function escaped(character: string): string {
  const short = JSON.stringify(character).slice(1, -1);
  if (short !== character) return short;
  return Array.from({ length: character.length }, (_, index) => {
    return `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
  }).join("");
}

function marked(text: string): string {
  let seen = text.replace(unseen, escaped);
  if (plainText.test(seen)) return seen;
  if (seen !== seen.normalize("NFC")) seen = composable(seen);
  seen = seen.replace(strayMark, escaped).replace(otherForm, escaped);
  return latin.test(seen) ? withoutMixedWords(seen) : seen;
}

/** Escapes what makes a text differ from one in NFC that looks the same. */
function composable(text: string): string {
  return text
    .replace(partOfLetter, escaped)
    .replace(/[^ -~]/gu, (character) => (character.normalize("NFC") === character ? character : escaped(character)));
}

/** Escapes letters that look like Latin ones: in a word with Latin letters, and in a text whose other letters are all Latin. */
function withoutMixedWords(text: string): string {
  const foreign = text.match(cyrillicOrGreek);
  if (foreign === null) return text;
  const isWholeText = foreign.join("").replace(likeLatin, "") === "";
  return text.replace(/\p{L}+/gu, (word) =>
    isWholeText || latin.test(word) ? word.replace(likeLatin, escaped) : word,
  );
}
