import { type GraphQLObjectType, isObjectType } from "graphql";
import type { AccessRule } from "../../src/routes/http/access/access-rule.ts";
import { makeSchema } from "../../src/routes/graphql/schema.ts";

/** The parts of the OpenAPI document that say who may use what. */
export interface RuledDocument {
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, RuledOperation>>>>;
  readonly "x-pages": Readonly<Record<string, AccessRule>>;
  readonly "x-websocket": { readonly access: Readonly<Record<string, AccessRule>> };
}

interface RuledOperation {
  readonly tags: readonly string[];
  readonly "x-access": AccessRule;
}

/** Something that a client may ask for, and its rule. */
interface Ruled {
  readonly group: string;
  readonly what: string;
  readonly rule: AccessRule;
}

const start =
  "<!-- the table of access: written by `bun run generate:client` from the declarations of routes, fields and messages -->";
const end = "<!-- the end of the table of access -->";

/** Replaces the table in a document that has one.
 *  @throws Error if the document has no place for the table */
export function withAccessTable(text: string, document: RuledDocument): string {
  const [before, rest] = text.split(start);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined)
    throw new Error(`there is no place for the table: ${start} ... ${end}`);
  return `${before}${start}\n\n${tableOf([...operationsIn(document), ...fields(), ...others(document)])}\n\n${end}${after}`;
}

/** A row for each group and rule: one for each request would be too long to read. */
function tableOf(ruled: readonly Ruled[]): string {
  const rows = new Map<string, { readonly first: Ruled; readonly whats: string[] }>();
  for (const each of ruled) {
    const key = JSON.stringify([each.group, scopeText(each.rule), selectorText(each.rule)]);
    const row = rows.get(key) ?? { first: each, whats: [] };
    row.whats.push(`\`${each.what}\``);
    rows.set(key, row);
  }
  const lines = [...rows.values()].map(
    ({ first: { group, rule }, whats }) =>
      `| ${group} | ${whats.join(", ")} | ${scopeText(rule)} | ${selectorText(rule)} |`,
  );
  return ["| | what | needs | with a selector |", "| --- | --- | --- | --- |", ...lines].join("\n");
}

function scopeText({ scope, page }: AccessRule): string {
  const opened = page === undefined ? "" : `; nothing with \`AUTH_OPEN_PAGES=${page}\``;
  if (scope === "open") return "nothing";
  return `${scope === "any" ? "any valid key" : `\`${scope}\``}${opened}`;
}

function selectorText(rule: AccessRule): string {
  if (rule.scope === "any" || rule.scope === "open") return "the same";
  const texts = { narrowed: "only what is within it", refused: "403", same: "the same" };
  return texts[rule.selectors ?? "refused"];
}

function operationsIn({ tags, paths }: RuledDocument): Ruled[] {
  const all = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(
      ([
        method,
        {
          tags: [tag = ""],
          "x-access": rule,
        },
      ]) => {
        const what = `${method.toUpperCase()} ${path}`;
        return { group: `REST: ${tag}`, what, rule };
      },
    ),
  );
  return tags.flatMap(({ name }) => all.filter(({ group }) => group === `REST: ${name}`));
}

/** Fields without a resolver of their own belong to the field that led to them. */
function fields(): Ruled[] {
  const roots = ["Query", "Subscription", "Mutation"];
  const types = Object.values(makeSchema().getTypeMap()).filter((type) => isObjectType(type));
  const ruledOf = (type: GraphQLObjectType, group: string): Ruled[] =>
    Object.values(type.getFields()).flatMap(({ name, extensions }) =>
      "scope" in extensions ? [{ group, what: `${type.name}.${name}`, rule: extensions as unknown as AccessRule }] : [],
    );
  const ofRoots = roots.flatMap((root) =>
    types.filter(({ name }) => name === root).flatMap((type) => ruledOf(type, `GraphQL: ${root.toLowerCase()}`)),
  );
  const relations = types.filter(({ name }) => !roots.includes(name));
  return [...ofRoots, ...relations.flatMap((type) => ruledOf(type, "GraphQL: of a type"))];
}

function others({ "x-websocket": { access }, "x-pages": pages }: RuledDocument): Ruled[] {
  return [
    ...Object.entries(access).map(([what, rule]) => ({ group: "messages over `/ws`", what, rule })),
    ...Object.entries(pages).map(([what, rule]) => ({ group: "pages and sockets", what, rule })),
  ];
}
