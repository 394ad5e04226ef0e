import { toOpenAPISchema } from "@elysiajs/openapi";
import type { TSchema } from "@sinclair/typebox";
import type { AnyElysia } from "elysia";
import { clientMessages, messageRules, serverMessages } from "../live/messages.ts";
import { namedSchemas } from "./components.ts";
import { type Json, normalisePaths, normaliseSchema } from "./normalise.ts";
import { hiddenRules } from "../http/access/access-rule.ts";
import { errorResponses } from "../http/error-responses.ts";
import { tags } from "../http/operation.ts";

const description = `Telemetry of GPU clusters: newest state and history.

A list is \`{success, count, data}\`; a single object is the same with a count of 1; an error is
\`{success: false, error: {code, message, details}}\`. Instants are RFC 3339 in UTC; those of requests may also be times from now, such as -1h; write a \`+\` in a query as %2B.
A metric without a value is absent from a record, never null and never 0.

A WebSocket at \`/ws\` sends the newest records. OpenAPI cannot describe it: \`x-websocket\` in this document has the
messages of both sides.`;

/** The OpenAPI document of the routes that an app has now. */
export function openApiDocument(app: AnyElysia, version: string): Json {
  const { paths } = toOpenAPISchema(app, undefined, undefined, undefined, "3.0.3");
  const document = {
    openapi: "3.0.3",
    info: {
      title: "GPU telemetry pipeline",
      version,
      description,
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    servers: [{ url: "/", description: "This gateway" }],
    security: [],
    tags,
    paths: normalisePaths(paths),
    // Not among the components: no operation can refer to them, and linters report components that nothing refers to.
    "x-websocket": {
      path: "/ws",
      access: messageRules,
      clientMessages: normaliseAll(clientMessages),
      serverMessages: normaliseAll(serverMessages),
    },
    // the pages and sockets, which are no operations
    "x-pages": hiddenRules(app.routes),
    components: {
      schemas: normaliseAll(namedSchemas),
      responses: errorResponses,
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "A key, such as gtp_3f9ac02b1d_..." },
        basic: { type: "http", scheme: "basic", description: "A key as the password; the user is ignored" },
      },
    },
  };
  // The round trip through JSON drops TypeBox's symbols and undefined values, and copies objects that are shared.
  return JSON.parse(JSON.stringify(document)) as Json;
}

function normaliseAll(schemas: Readonly<Record<string, TSchema>>): Json {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, normaliseSchema(schema as unknown as Json)]),
  );
}
