import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

// Operators look for what they see in the documents, so a message that a document quotes is one that the program has. `...`, numbers and names
// stand for what differs. The messages about CSV files are compared with what is really said: test/pipeline/csv-refusals.test.ts.

const root = join(import.meta.dir, "..");

/** The texts of the program: of a template, the parts between its values, joined by a mark. */
const mark = "\u0001";

function textsOf(file: string): string[] {
  const texts: string[] = [];
  const visit = (node: ts.Node): void => {
    const text = textOf(node);
    if (text !== undefined && text.includes(" ")) texts.push(text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true));
  return texts;
}

/** Texts that are joined by + are one. */
function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map(({ literal }) => mark + literal.text).join("");
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    return (textOf(node.left) ?? mark) + (textOf(node.right) ?? mark);
  }
  return undefined;
}

const sources = ["src", "scripts"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") || name.endsWith(".tsx"))
    .map((name) => join(root, folder, name)),
);
const program = sources.flatMap(textsOf);

/** Words that stand for a value: a number, an address, an element of a path, a statement, a state, N. */
const value = /\d|^(?:N|GRANT|down)$|[:/@=]\S|^["'(]/;

/** The phrases of a quoted message that its values do not change, of two words at least. */
function phrasesOf(message: string): string[] {
  const words = message.replace(/\.\.\./g, " 0 ").replace(/[:;,.](?= |$)/g, " 0 ");
  const phrases: string[][] = [[]];
  for (const word of words.split(/\s+/)) {
    if (value.test(word)) phrases.push([]);
    else phrases.at(-1)?.push(word);
  }
  return phrases
    .map((phrase) => phrase.filter((word) => word !== "").join(" "))
    .filter((phrase) => phrase.includes(" "));
}

/** True if the program has all phrases: a message may be put together from several texts. */
function isSaid(message: string): boolean {
  const phrases = phrasesOf(message);
  return phrases.length > 0 && phrases.every((phrase) => program.some((text) => text.includes(phrase)));
}

/** What others say: PostgreSQL, the system. */
const ofOthers = ["... No space left on device (53100) ...", "... ECONNREFUSED ..."];

/** The messages in the first column of the table of what operators see. */
const operations = readFileSync(join(root, "docs/operations.md"), "utf8");
const documented = [...operations.matchAll(/^\| (.+?) \|/gm)].flatMap(([, cell = ""]) =>
  [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, text = ""]) =>
    /^\S+$|^(?:bun run|telemetry) /.test(text) ? [] : [text],
  ),
);

/** What `top` shows. */
const ofClient = [...readFileSync(join(root, "docs/client.md"), "utf8").matchAll(/says `([^`]+)`/g)].map(
  ([, text = ""]) => text,
);

test("the documents quote messages", () => {
  expect(documented.length).toBeGreaterThan(40);
  expect(ofClient.length).toBeGreaterThan(0);
});

test.each([...documented, ...ofClient].filter((message) => !ofOthers.includes(message)))(
  "the program says: %s",
  (message) => {
    expect([message, isSaid(message)]).toEqual([message, true]);
  },
);
