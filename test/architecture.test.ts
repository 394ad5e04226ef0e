import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

// The rules that the compiler, the linter and dependency-cruiser do not check.

const root = join(import.meta.dir, "..");

interface SourceFile {
  /** Relative to the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

function filesIn(...folders: string[]): SourceFile[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.tsx?$/.test(name))
      .map((name) => {
        const path = join(folder, name).replaceAll("\\", "/");
        const text = readFileSync(join(root, path), "utf8");
        return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) };
      }),
  );
}

const sources = filesIn("src");
/** The part of the client package that is written by hand. */
const client = filesIn("clients/typescript/src").filter(({ path }) => !path.includes("/generated/"));
const documents = [
  ...["README.md", "CONTRIBUTING.md", "src/domain/README.md", "clients/typescript/README.md"],
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
].map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
const everything = [...sources, ...filesIn("scripts", "dev", "bench", "test"), ...client];

/** The results of `find` for the nodes of the files, each with its path and line. */
function findAll(files: readonly SourceFile[], find: (node: ts.Node) => string | undefined): string[] {
  const found: string[] = [];
  for (const { path, tree } of files) {
    const visit = (node: ts.Node): void => {
      const what = find(node);
      const { line } = tree.getLineAndCharacterOfPosition(node.getStart());
      if (what !== undefined) found.push(`${path}:${line + 1} ${what}`);
      ts.forEachChild(node, visit);
    };
    visit(tree);
  }
  return found;
}

/** Uses of globals and their properties, such as `setInterval`, `process.env` or `new Date()`. */
function usesOf(expressions: readonly string[], files: readonly SourceFile[]): string[] {
  return findAll(files, (node) => {
    const isUse = ts.isPropertyAccessExpression(node) || ts.isNewExpression(node) || ts.isIdentifier(node);
    const text = isUse ? node.getText() : "";
    return expressions.includes(text) ? text : undefined;
  });
}

const isExported = (node: ts.Node): boolean =>
  ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);

const outside = (...paths: string[]): SourceFile[] => sources.filter(({ path }) => !paths.includes(path));

test("in src, only main reads the environment", () => {
  expect(usesOf(["process.env", "Bun.env", "import.meta.env"], outside("src/main.ts"))).toEqual([]);
});

test("in src, only programs end their process: main, and the child that makes a database", () => {
  const others = outside("src/main.ts", "src/db/make-database.ts");
  expect(usesOf(["process.exit", "process.exitCode", "process.abort"], others)).toEqual([]);
});

test("in src, only the clocks and main use the machine's time", () => {
  const global = ["Date.now", "new Date()", "performance.now", "setInterval", "setTimeout", "Bun.sleep"];
  expect(usesOf(global, outside("src/kit/clock.ts", "src/dashboard/browser/clock.ts", "src/main.ts"))).toEqual([]);
});

test("in src and scripts, only print.ts writes to a terminal, except constant texts and coloured plots", () => {
  const printing = [...sources, ...filesIn("scripts")].filter(({ path }) => path !== "src/terminal/print.ts");
  const writes = findAll(printing, (node) => {
    if (!ts.isCallExpression(node) || !/^process\.std(?:out|err)\.write$/.test(node.expression.getText())) return;
    return /^(?:usage|serveUsage)$/.test(node.arguments[0]?.getText() ?? "") ? undefined : node.getText();
  });
  expect(writes.filter((found) => !found.includes("plotText("))).toEqual([]);
});

test("chance in the simulated fleet comes from its seed", () => {
  const simulated = sources.filter(({ path }) => path.includes("/simulated"));
  expect(simulated.length).toBeGreaterThan(0);
  expect(usesOf(["Math.random", "crypto.randomUUID", "crypto.getRandomValues"], simulated)).toEqual([]);
});

/** What services implement or extend. */
const serviceBases = ["Service", "BaseService", "PeriodicService"];

test("interchangeable implementations are created only in src/roles/, in their own file or in an open-*.ts file", () => {
  const sourceInterfaces = ["ReplayableSource", "LiveSource"];
  const storeInterfaces = ["TelemetryStore", "TelemetryQueries"];
  const interfaces = ["Queue", "HotTier", ...serviceBases, ...sourceInterfaces, ...storeInterfaces];
  const homes = new Map<string, string>();
  for (const { path, tree } of sources) {
    ts.forEachChild(tree, (node) => {
      if (!ts.isClassDeclaration(node)) return;
      const implemented = (node.heritageClauses ?? []).flatMap(({ types }) =>
        types.map((type) => type.expression.getText()),
      );
      if (implemented.some((name) => interfaces.includes(name))) homes.set(node.name?.text ?? "", path);
    });
  }
  expect(homes.size).toBeGreaterThan(0);
  const outsideRoles = sources.filter(({ path }) => !path.startsWith("src/roles/"));
  const creations = outsideRoles.flatMap((file) =>
    findAll([file], (node) => {
      const driver = ts.isNewExpression(node) ? node.expression.getText() : "";
      const home = homes.get(driver) ?? file.path;
      const isOpener = /\/open-[^/]+$/.test(file.path);
      return home === file.path || isOpener ? undefined : `new ${driver}`;
    }),
  );
  expect(creations).toEqual([]);
});

test("every-service.test.ts creates every service", () => {
  const services = findAll(sources, (node) => {
    if (!ts.isClassDeclaration(node) || node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.AbstractKeyword))
      return;
    const parents = (node.heritageClauses ?? []).flatMap(({ types }) =>
      types.map(({ expression }) => expression.getText()),
    );
    return parents.some((name) => serviceBases.includes(name)) ? node.name?.text : undefined;
  }).map((found) => found.split(" ").at(-1) as string);
  expect(services.length).toBeGreaterThan(0);
  const exercised = readFileSync(join(root, "test/kit/every-service.test.ts"), "utf8");
  expect(services.filter((name) => !exercised.includes(`new ${name}(`))).toEqual([]);
});

test("in src and the client, exported functions, classes and interfaces have docstrings, except those named ...Options", () => {
  const bare = findAll([...sources, ...client], (node) => {
    const isDeclaration =
      ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node);
    if (!isDeclaration || !isExported(node) || node.name?.text.endsWith("Options")) return undefined;
    return ts.getJSDocCommentsAndTags(node).length === 0 ? node.name?.text : undefined;
  });
  expect(bare).toEqual([]);
});

test("no `any`, and no compiler check is switched off", () => {
  expect(findAll(everything, (node) => (node.kind === ts.SyntaxKind.AnyKeyword ? "any" : undefined))).toEqual([]);
  const switchedOff = everything.filter(({ text }) => /@ts-(?:ignore|nocheck|expect-error)/.test(text));
  expect(switchedOff.map(({ path }) => path).filter((path) => path !== "test/architecture.test.ts")).toEqual([]);
});

test("in src and the client, no module declares a `let` or `var` outside functions", () => {
  const state = findAll([...sources, ...client], (node) => {
    if (!ts.isVariableStatement(node) || !ts.isSourceFile(node.parent)) return undefined;
    return (node.declarationList.flags & ts.NodeFlags.Const) === 0 ? node.getText() : undefined;
  });
  expect(state).toEqual([]);
});

test("files are named in kebab-case; those in src have at most 300 lines, except the catalogue", () => {
  const misnamed = everything.filter(({ path }) => !/^(?:[a-z0-9-]+\/)+[a-z0-9-]+(?:\.test)?\.tsx?$/.test(path));
  expect(misnamed.map(({ path }) => path)).toEqual([]);
  const long = outside("src/domain/metrics.ts").filter(({ text }) => text.split("\n").length > 301);
  expect(long.map(({ path }) => path)).toEqual([]);
});

// bun declares these matchers as void, so that the linter does not see the promise
test("expectations of a promise are awaited: without await, the test passes whatever the promise does", () => {
  const files = everything.filter(({ text }) => /\.(?:rejects|resolves)\./.test(text));
  const found = findAll(files, (node) => {
    if (!ts.isExpressionStatement(node) || !ts.isCallExpression(node.expression)) return undefined;
    const matchers = node.expression.expression.getText().replace(/^expect\([^]*\)\./, "");
    return /^(?:not\.)?(?:rejects|resolves)\./.test(matchers) ? "" : undefined;
  });
  expect(found).toEqual([]);
});

test("no TypeScript file has a mark of unfinished work", () => {
  const marks = everything.filter(({ text }) => /\b(?:TODO|FIXME|XXX|HACK)\b/.test(text));
  expect(marks.map(({ path }) => path).filter((path) => path !== "test/architecture.test.ts")).toEqual([]);
});

test("in src, interfaces have at most seven methods, including inherited ones and those of an intersection", () => {
  const declared = new Map<string, { readonly own: number; readonly bases: readonly string[] }>();
  findAll(sources, (node) => {
    const isIntersection = ts.isTypeAliasDeclaration(node) && ts.isIntersectionTypeNode(node.type);
    if (!ts.isInterfaceDeclaration(node) && !isIntersection) return undefined;
    const before = declared.get(node.name.text);
    declared.set(node.name.text, {
      // if several types have one name, the one with the most methods counts
      own: Math.max(before?.own ?? 0, ts.isInterfaceDeclaration(node) ? methodsOf(node) : 0),
      bases: [...(before?.bases ?? []), ...basesOf(node)],
    });
    return undefined;
  });
  const countOf = (name: string, seen: readonly string[] = []): number => {
    const found = seen.includes(name) ? undefined : declared.get(name);
    if (found === undefined) return 0;
    return [...new Set(found.bases)].reduce((sum, base) => sum + countOf(base, [...seen, name]), found.own);
  };
  expect(declared.size).toBeGreaterThan(50);
  expect([...declared.keys()].filter((name) => countOf(name) > 7)).toEqual([]);
});

/** Unclear words, and their replacements. */
const unplainWords: readonly (readonly [words: string, plain: string])[] = [
  ["told of|heard of|hears? of|said of", "receives, is notified"],
  ["what of", "which part of"],
  ["out of memory", "from memory, unless it is about memory that ran out"],
  ["all the same", "anyway"],
  ["whoever|nobody|somebody|anybody", "the process, client or user that is meant"],
  ["anew", "again"],
  ["(?:stands?|stood) in for", "supersedes"],
  ["given up", "abandoned, became a dead letter"],
  ["mends?|mended", "fix"],
  ["obstacles?", "reason, error"],
  ["troubles?", "error"],
  ["be it", "even"],
  ["where there (?:is|are)", "if there is"],
  ["by now", "already"],
  ["(?:has|have) begun", "started"],
  ["beside", "next to, in addition to, compared with"],
  ["stretch(?:es)?", "range"],
  ["but for", "except"],
  ["time is over", "time is up"],
  ["holds? only if", "succeeds only if"],
  ["signs? of life", "activity"],
  ["living fleet|way of the data", "hot tier, how data flows"],
  ["of the meantime", "that were missed"],
  ["becomes of", "happens to"],
  ["nothing of", "no part of"],
  ["connects again", "reconnects"],
  ["some [0-9][0-9,.]*", "about"],
  ["(?:seed's|the seed) (?:file|CSV)", "sample CSV"],
];

test("sources and documents contain no unclear words", () => {
  const texts = [...sources, ...client, ...filesIn("scripts", "dev"), ...documents];
  const found = texts.flatMap(({ path, text }) =>
    text
      .split("\n")
      .flatMap((line, index) =>
        unplainWords
          .filter(([words]) => new RegExp(`\\b(?:${words})\\b`, "i").test(line))
          .map(([words, plain]) => `${path}:${index + 1} "${words}", better: ${plain}`),
      ),
  );
  expect(found).toEqual([]);
});

/** The files whose statements read the records of settled history as well, in blocks. */
const readRowsAndBlocks = [
  ...[
    "archive-hours",
    "block-records",
    "count-records",
    "delete-gpu-hours",
    "delete-old",
    "delete-oldest",
    "device-states",
    "history-columns",
    "learned-devices",
    "learned-steps",
    "observations",
  ],
  ...["history-part", "own-rows", "records-at", "rollup-hours", "select-coverage", "select-latest", "usage-hours"],
];

const afterUnsettling = "runs in a transaction that stores records, after the blocks of their hours have become rows";
const lastSeenIsNewer = "looks for records since the GPU was last seen, which settling brings up to its newest record";

/** The files whose statements need no blocks, each with the reason. */
const readRowsOnly: Readonly<Record<string, string>> = {
  "conflicting-values": afterUnsettling,
  "copy-telemetry": afterUnsettling,
  "existing-records": afterUnsettling,
  "upsert-telemetry": afterUnsettling,
  "inventory-changes": lastSeenIsNewer,
  "select-gpus": lastSeenIsNewer,
  chunks: "drops chunks of rows; blocks have none",
  "select-records": afterUnsettling,
  "late-hours": "finds the rows that are to become blocks",
  "settled-rows": "makes blocks of rows",
  "usage-days": "finds hours that are not settled yet",
  "newest-stored": "finds what was stored last, before a process settles anything",
  "hours-with-rows": "names the table; its callers choose it",
};

test("a statement that reads the rows of telemetry reads settled history too, or it is said why not", () => {
  const statements = filesIn("src/db/sql");
  const found = findAll(statements, (node) => {
    const isText = ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node) || isTemplatePart(node);
    if (isText && !ts.isImportDeclaration(node.parent) && /(?<![\w./-])telemetry(?![\w-])/.test(node.text)) return "";
    return ts.isCallExpression(node) && node.expression.getText() === "telemetryOf" ? "" : undefined;
  });
  const names = new Set(found.map((place) => /([^/]+)\.ts:/.exec(place)?.[1]));
  const known = new Set([...readRowsAndBlocks, ...Object.keys(readRowsOnly)]);
  expect([...names].filter((name) => !known.has(name ?? ""))).toEqual([]);
  const existing = new Set(statements.map(({ path }) => path.replace(/^.*\/|\.ts$/g, "")));
  expect([...known].filter((name) => !existing.has(name))).toEqual([]);
});

const isTemplatePart = (node: ts.Node): node is ts.TemplateHead | ts.TemplateMiddle | ts.TemplateTail =>
  ts.isTemplateHead(node) || ts.isTemplateMiddle(node) || ts.isTemplateTail(node);

function methodsOf(node: ts.InterfaceDeclaration): number {
  return node.members.filter(ts.isMethodSignature).length;
}

/** The names of the interfaces that an interface extends, or of the parts of an intersection. */
function basesOf(node: ts.InterfaceDeclaration | ts.TypeAliasDeclaration): string[] {
  if (ts.isInterfaceDeclaration(node)) {
    return (node.heritageClauses ?? []).flatMap(({ types }) => types.map(({ expression }) => expression.getText()));
  }
  const parts = ts.isIntersectionTypeNode(node.type) ? node.type.types : [];
  return parts.flatMap((part) => (ts.isTypeReferenceNode(part) ? [part.typeName.getText()] : []));
}
