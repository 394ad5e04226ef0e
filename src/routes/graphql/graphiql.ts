import type { Plugin } from "graphql-yoga";

/** The headers of GraphiQL's page. The policy forbids the browser to load anything from another server. It allows inline
 *  scripts and styles, and the workers that the editor creates. */
const pageHeaders = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy":
    "default-src 'none'; script-src 'unsafe-inline' blob:; worker-src blob:; style-src 'unsafe-inline'; img-src 'self' data:; font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
};

/** Renders GraphiQL as one page. Its source is 9 MB, and is therefore imported at the first request for the page. */
export async function renderGraphiql(): Promise<string> {
  const { renderGraphiQL } = await import("@graphql-yoga/render-graphiql");
  return renderGraphiQL({ title: "GPU telemetry pipeline: GraphQL", subscriptionsProtocol: "WS" });
}

/** Replaces the headers of HTML responses with `pageHeaders`. */
export function guardedPage(): Plugin {
  return {
    onResponse: (event) => {
      const { response } = event;
      if (response.headers.get("content-type")?.startsWith("text/html") !== true) return;
      event.setResponse(new Response(response.body, { status: response.status, headers: pageHeaders }));
    },
  };
}
