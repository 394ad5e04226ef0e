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
    if (text !== undefined && /[ _]/.test(text)) texts.push(text);
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
  const words = message.replace(/\.\.\./g, " 0 ").replace(/[:;,.](?= |$)|^\(|\)$/g, " 0 ");
  const phrases: string[][] = [[]];
  for (const word of words.split(/\s+/)) {
    if (value.test(word)) phrases.push([]);
    else phrases.at(-1)?.push(word);
  }
  return phrases
    .map((phrase) => phrase.filter((word) => word !== "").join(" "))
    .filter((phrase) => phrase.includes(" "));
}

/** True if the program has all phrases: a message may be put together from several texts. Or if it is the heading of a column, which has blanks
 *  for the _ in the column's name. */
function isSaid(message: string): boolean {
  if (program.includes(message.replaceAll(" ", "_"))) return true;
  const phrases = phrasesOf(message);
  return phrases.length > 0 && phrases.every((phrase) => program.some((text) => text.includes(phrase)));
}

/** What others say: PostgreSQL, etcd, exporters, the system. */
const ofOthers = [
  ...["... No space left on device (53100) ...", "No space left on device (53100)", "... (53300) ..."],
  ...["... ECONNREFUSED ...", "took too long", "HTTP 500"],
];

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

/** Code of several words that is no message: commands and their options, requests, headers, JSON, settings, lists of fields. */
const isNoMessage = new RegExp(
  [
    "^(?:bun|telemetry|make|etcdctl|docker|kubectl|curl|psql|grep|dmesg|kill|chronyc|export|keys|delete|alarm) ",
    "^(?:GET|HEAD|POST|DELETE) ",
    "^[\\w-]+: \\S+$",
    "^--?[a-z]",
    "^[{[]",
    "^[A-Z_]+=",
    "^\\w+(?:, \\w+)+$",
  ].join("|"),
);

/** All messages of the documents in which code of several words is a message, unless it is one of these. */
const ofProse = ["DEBUGGING", "ETCD_MESSAGE_QUEUE", "push", "security"].flatMap((name) => {
  const text = readFileSync(join(root, `docs/${name}.md`), "utf8").replace(/^```.*?^```/gms, "");
  return [...text.matchAll(/`([^`]+)`/g)].flatMap(([, code = ""]) =>
    /^\S+$/.test(code) || isNoMessage.test(code) ? [] : [code],
  );
});

test("the documents quote messages", () => {
  expect(documented.length).toBeGreaterThan(40);
  expect(ofClient.length).toBeGreaterThan(0);
  expect(ofProse.length).toBeGreaterThan(20);
});

test.each([...new Set([...documented, ...ofClient, ...ofProse])].filter((message) => !ofOthers.includes(message)))(
  "the program says: %s",
  (message) => {
    expect([message, isSaid(message)]).toEqual([message, true]);
  },
);
