import { fileURLToPath } from "node:url";
import { type AnyElysia, Elysia } from "elysia";
import { stringify } from "yaml";
import { hiddenDetail } from "../http/access/access-rule.ts";
import { ApiError, shown } from "../http/api-error.ts";
import { pageHeaders } from "../http/door/answer-headers.ts";
import { openApiDocument } from "./document.ts";
import type { Json } from "./normalise.ts";
import { swaggerInitializer, swaggerPage } from "./swagger-page.ts";

/** The files of swagger-ui-dist that the page loads. No other file of the package is served. */
const assets: Readonly<Record<string, () => string>> = {
  "swagger-ui.css": () => import.meta.resolve("swagger-ui-dist/swagger-ui.css"),
  "swagger-ui-bundle.js": () => import.meta.resolve("swagger-ui-dist/swagger-ui-bundle.js"),
  "favicon-32x32.png": () => import.meta.resolve("swagger-ui-dist/favicon-32x32.png"),
};

/** What the page may load: nothing from another server, and no script in the page itself. */
const headers = pageHeaders("script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:");

/** The OpenAPI document as JSON and YAML, and a page that shows it without files from other servers.
 *  @param app returns the app; called at the first request for the document, when the app is complete */
export function docsRoutes({ app, version }: { readonly app: () => AnyElysia; readonly version: string }) {
  const document = lazily(() => openApiDocument(app(), version));
  const json = lazily(() => JSON.stringify(document(), null, 2));
  const yaml = lazily(() => yamlOf(document()));
  const files: Readonly<Record<string, () => Response>> = {
    "swagger.json": () => text(json(), "application/json"),
    "swagger.yaml": () => text(yaml(), "application/yaml"),
    "swagger-initializer.js": () => text(swaggerInitializer, "text/javascript; charset=utf-8"),
  };
  return new Elysia({ name: "docs", detail: hiddenDetail({ scope: "any", page: "docs" }) })
    .get("/docs", () => redirectToPage())
    .get("/swagger", ({ request }) => {
      // Elysia does not distinguish /swagger from /swagger/, and the page's relative links need the slash.
      return new URL(request.url).pathname.endsWith("/") ? new Response(swaggerPage, { headers }) : redirectToPage();
    })
    .get("/swagger/:file", ({ params }) => {
      // Elysia passes null if the percent-encoding is broken
      const file = (params.file as string | null) ?? "";
      const make = Object.hasOwn(files, file) ? files[file] : undefined;
      if (make !== undefined) return make();
      const asset = Object.hasOwn(assets, file) ? assets[file] : undefined;
      if (asset !== undefined) return new Response(Bun.file(fileURLToPath(asset())));
      throw new ApiError(404, "not_found", {
        message: `There is no file ${shown(file)}; the documentation is at /swagger/`,
        details: { resource: "file", file: shown(file) },
      });
    });
}

function redirectToPage(): Response {
  return new Response(null, { status: 302, headers: { location: "/swagger/" } });
}

function yamlOf(document: Json): string {
  return stringify(document, { aliasDuplicateObjects: false, lineWidth: 0 });
}

function text(body: string, type: string): Response {
  return new Response(body, { headers: { "content-type": type } });
}

/** Returns a function that keeps the first result of `make`, and returns it at every call. */
function lazily<T extends object | string>(make: () => T): () => T {
  let result: T | undefined;
  return () => (result ??= make());
}
