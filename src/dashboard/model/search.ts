/** What a search looks at, in lower case. */
export interface SearchedTexts {
  readonly host: string;
  readonly model: string;
  readonly namespace: string;
  readonly pod: string;
  readonly uuid: string;
}

/** True for a device that a search finds. */
export type Search = (texts: SearchedTexts) => boolean;

/** A search, or what is wrong with its text. */
export type ReadSearch = { readonly search: Search } | { readonly problem: string };

const fields = ["host", "model", "namespace", "pod", "uuid"] as const;
type Field = (typeof fields)[number];
const isField = (name: string): name is Field => (fields as readonly string[]).includes(name);

type Token =
  | { readonly kind: "open" | "close" | "or" | "and" | "not" }
  | {
      readonly kind: "term";
      readonly field: Field | undefined;
      readonly text: string;
      /** The text is a whole name, not a part of one. */
      readonly isWhole: boolean;
    };

class SearchProblem extends Error {}

/** Reads the text of a search. Words have to be found all, in any field; `or`, `not` or `-`, and parentheses combine them; `host:`,
 *  `model:`, `namespace:`, `pod:` and `uuid:` restrict a word to a field, and `namespace:=` to whole names; quotes keep spaces together. Upper
 *  and lower case are the same.
 *
 *      search  = all { "or" all }
 *      all     = part { ["and"] part }
 *      part    = ("not" | "-") part | "(" search ")" | [field ":" ["="]] text */
export function readSearch(text: string): ReadSearch {
  try {
    const tokens = tokensOf(text);
    if (tokens.length === 0) return { search: () => true };
    const reader = new SearchReader(tokens);
    return { search: reader.whole() };
  } catch (error) {
    if (error instanceof SearchProblem) return { problem: error.message };
    throw error;
  }
}

/** The search for what has exactly these names.
 *  @returns undefined: one of the names has a quote, which no search can have */
export function searchFor(names: Readonly<Partial<Record<Field, string>>>): string | undefined {
  const words = fields.flatMap((field) => (names[field] === undefined ? [] : [[field, names[field]] as const]));
  if (words.some(([, name]) => name.includes('"'))) return undefined;
  return words.map(([field, name]) => `${field}:=${/[\s()]/.test(name) ? `"${name}"` : name}`).join(" ");
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const pattern = /\s*(?:([()])|(-)(?=[^\s)])|((?:[a-z]+:=?)?"[^"]*(?:"|$)|[^\s()"]+))/giy;
  for (let match = pattern.exec(text); match !== null && match[0] !== ""; match = pattern.exec(text)) {
    const [, parenthesis, minus, word] = match;
    if (parenthesis !== undefined) tokens.push({ kind: parenthesis === "(" ? "open" : "close" });
    else if (minus !== undefined) tokens.push({ kind: "not" });
    else if (word !== undefined) tokens.push(tokenOf(word));
  }
  return tokens;
}

function tokenOf(word: string): Token {
  const lower = word.toLowerCase();
  if (lower === "or" || lower === "and" || lower === "not") return { kind: lower };
  const [, prefix, whole = "", rest = lower] = /^([a-z]+):(=?)(.*)$/s.exec(lower) ?? [];
  if (prefix !== undefined && !isField(prefix)) {
    const known = fields.map((name) => `${name}:`).join(", ");
    throw new SearchProblem(
      `There is no field ${prefix}: to search; the fields are ${known}. Quotes search for the text itself.`,
    );
  }
  const text = rest.startsWith('"') ? quoted(rest) : rest;
  if (text === "")
    throw new SearchProblem(
      `Write what to search for after ${prefix === undefined ? "the quote" : `${prefix}:${whole}`}`,
    );
  return { kind: "term", field: prefix, text, isWhole: whole !== "" };
}

function quoted(text: string): string {
  if (text.length < 2 || !text.endsWith('"')) throw new SearchProblem("A quote has no end; add another one");
  return text.slice(1, -1);
}

class SearchReader {
  private next = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  whole(): Search {
    const search = this.any();
    if (this.next < this.tokens.length) throw new SearchProblem("There is a ) without its (");
    return search;
  }

  private any(): Search {
    const parts = [this.all()];
    while (this.takes("or")) parts.push(this.all());
    return (texts) => parts.some((part) => part(texts));
  }

  private all(): Search {
    const parts = [this.part()];
    while (this.isPartNext()) {
      this.takes("and");
      parts.push(this.part());
    }
    return (texts) => parts.every((part) => part(texts));
  }

  private part(): Search {
    if (this.takes("not")) {
      const part = this.part();
      return (texts) => !part(texts);
    }
    if (this.takes("open")) {
      const inside = this.any();
      if (!this.takes("close")) throw new SearchProblem("There is a ( without its )");
      return inside;
    }
    const token = this.tokens[this.next++];
    if (token?.kind !== "term") throw new SearchProblem("A word is missing next to and, or, not or a parenthesis");
    const { field, text, isWhole } = token;
    if (field !== undefined && isWhole) return (texts) => ` ${texts[field]} `.includes(` ${text} `);
    if (field !== undefined) return (texts) => texts[field].includes(text);
    return (texts) => fields.some((name) => texts[name].includes(text));
  }

  private isPartNext(): boolean {
    const kind = this.tokens[this.next]?.kind;
    return kind !== undefined && kind !== "or" && kind !== "close";
  }

  private takes(kind: Token["kind"]): boolean {
    if (this.tokens[this.next]?.kind !== kind) return false;
    this.next++;
    return true;
  }
}
