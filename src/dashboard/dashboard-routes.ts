import { Elysia } from "elysia";
import Negotiator from "negotiator";
import { hiddenDetail } from "../routes/http/access/access-rule.ts";
import { ApiError, shown } from "../routes/http/api-error.ts";
import { pageHeaders } from "../routes/http/door/answer-headers.ts";
import { compressed } from "../routes/http/formats/compress.ts";
import { encodingOf } from "../routes/http/formats/negotiate.ts";
import { buildDashboard, type DashboardFile, type DashboardFiles } from "./dashboard-files.ts";
import { assetsPath } from "./page-html.ts";
import { dashboardPages } from "./pages.ts";

/** What the pages may load: nothing from another server, and no script or style in the document itself. */
const headers = {
  ...pageHeaders("script-src 'self'; style-src 'self'; img-src 'self' data:"),
  // the document names the files of this version
  "cache-control": "no-cache",
  vary: "accept",
};

/** Files whose names have their hash never change. */
const foreverSeconds = 31_536_000;

/** The dashboard's pages, and the files that they load. They are bundled at the first request for one of them. */
export function dashboardRoutes() {
  let building: Promise<DashboardFiles> | undefined;
  const built = (): Promise<DashboardFiles> => (building ??= buildDashboard());
  const app = new Elysia({ name: "dashboard" });
  // every caller that may use any part of the API may open the page, which itself has no data
  for (const { path } of Object.values(dashboardPages)) {
    app.get(path, ({ request }) => page(request, built), { detail: hiddenDetail({ scope: "any" }) });
  }
  // no secrets: they are the same for everyone
  return app.get(
    `${assetsPath}:file`,
    async ({ request, params }) => asset(request, (params.file as string | null) ?? "", await built()),
    { detail: hiddenDetail({ scope: "open" }) },
  );
}

/** The page, for a browser. Programs get what they get for any path without an endpoint. */
async function page(request: Request, built: () => Promise<DashboardFiles>): Promise<Response> {
  if (wantsPage(request)) return new Response((await built()).html, { headers });
  const path = shown(new URL(request.url).pathname);
  throw new ApiError(404, "not_found", {
    message: `There is nothing at ${path} for programs; a browser (Accept: text/html) gets a page. The documentation is at /docs`,
    details: { resource: "path", path },
  });
}

/** True if the client prefers HTML to JSON. One that accepts anything is a program. */
function wantsPage(request: Request): boolean {
  const accept = request.headers.get("accept");
  return (
    accept !== null &&
    new Negotiator({ headers: { accept } }).mediaType(["application/json", "text/html"]) === "text/html"
  );
}

const compressedFiles = new WeakMap<DashboardFile, Map<string, Promise<Uint8Array<ArrayBuffer>>>>();

/** A file by its name. While gateways of two versions run, a document of one may ask the other for its files: that one answers with its
 *  own, which no cache keeps. */
async function asset(request: Request, name: string, { script, style }: DashboardFiles): Promise<Response> {
  const kind = /^dashboard-[0-9a-f]{16}\.(js|css)$/.exec(name)?.[1];
  if (kind === undefined) {
    throw new ApiError(404, "not_found", {
      message: `There is no file ${shown(name)}`,
      details: { resource: "file", file: shown(name) },
    });
  }
  const file = kind === "js" ? script : style;
  const encoding = encodingOf(request);
  const caching = file.name === name ? `public, max-age=${foreverSeconds}, immutable` : "no-store";
  const answer = { "content-type": file.type, "cache-control": caching, vary: "accept-encoding" };
  if (encoding === undefined) return new Response(file.body, { headers: answer });
  const kept = compressedFiles.get(file) ?? new Map<string, Promise<Uint8Array<ArrayBuffer>>>();
  compressedFiles.set(file, kept);
  const body = kept.get(encoding) ?? compressed(file.body, encoding);
  kept.set(encoding, body);
  return new Response(await body, { headers: { ...answer, "content-encoding": encoding } });
}
