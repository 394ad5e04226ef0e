import type { Plugin } from "graphql-yoga";

/** The page is self-contained: its policy forbids the browser to load anything from elsewhere. Script and style are
 *  inline, and the script creates the editor's workers. */
const pageHeaders = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy":
    "default-src 'none'; script-src 'unsafe-inline' blob:; worker-src blob:; style-src 'unsafe-inline'; img-src 'self' data:; font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
};

/** Renders GraphiQL as one page. GraphiQL's source is 9 MB, so it is imported at the first request for the page. */
export async function renderGraphiql(): Promise<string> {
  const { renderGraphiQL } = await import("@graphql-yoga/render-graphiql");
  return renderGraphiQL({ title: "GPU telemetry pipeline: GraphQL", subscriptionsProtocol: "WS" });
}

/** Replaces the headers of HTML responses by those of the page, which restrict what it may load. */
export function guardedPage(): Plugin {
  return {
    onResponse: (event) => {
      const { response } = event;
      if (response.headers.get("content-type")?.startsWith("text/html") !== true) return;
      event.setResponse(new Response(response.body, { status: response.status, headers: pageHeaders }));
    },
  };
}
