import type { Plugin } from "graphql-yoga";

/** The page brings everything with it: the browser is told to load nothing from elsewhere. Its script and style are in the
 *  page, and its editor's workers are made by the script. */
const pageHeaders = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy":
    "default-src 'none'; script-src 'unsafe-inline' blob:; worker-src blob:; style-src 'unsafe-inline'; img-src 'self' data:; font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
};

/** GraphiQL, with everything it needs in the page. It is 9 MB of source: read when somebody asks for it. */
export async function renderGraphiql(): Promise<string> {
  const { renderGraphiQL } = await import("@graphql-yoga/render-graphiql");
  return renderGraphiQL({ title: "GPU telemetry pipeline: GraphQL", subscriptionsProtocol: "WS" });
}

/** Says what the page may load. */
export function guardedPage(): Plugin {
  return {
    onResponse: (event) => {
      const { response } = event;
      if (response.headers.get("content-type")?.startsWith("text/html") !== true) return;
      event.setResponse(new Response(response.body, { status: response.status, headers: pageHeaders }));
    },
  };
}
