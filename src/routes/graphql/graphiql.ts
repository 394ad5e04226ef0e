import type { Plugin } from "graphql-yoga";
import { pageHeaders } from "../http/door/answer-headers.ts";

interface Rendered {
  readonly page: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** GraphiQL as one page. Its source is 9 MB, and is therefore imported at the first request for the page.
 *
 *  The browser may load nothing from another server, and may run no script but the page's own, which its hash names, and the workers
 *  that the editor makes from it. */
export class GraphiqlPage {
  private rendering: Promise<Rendered> | undefined;

  /** The page, for Yoga. */
  readonly render = async (): Promise<string> => (await this.rendered()).page;

  /** Replaces the headers of HTML responses with those of the page. */
  plugin(): Plugin {
    return {
      onResponse: async (event) => {
        const { response } = event;
        if (response.headers.get("content-type")?.startsWith("text/html") !== true) return;
        const { headers } = await this.rendered();
        event.setResponse(new Response(response.body, { status: response.status, headers }));
      },
    };
  }

  private rendered(): Promise<Rendered> {
    return (this.rendering ??= render());
  }
}

async function render(): Promise<Rendered> {
  const { renderGraphiQL } = await import("@graphql-yoga/render-graphiql");
  const page = renderGraphiQL({ title: "GPU telemetry pipeline: GraphQL", subscriptionsProtocol: "WS" });
  const scripts = `${hashOfScript(page)} blob:`;
  const sources = `script-src ${scripts}; worker-src blob:; style-src 'unsafe-inline'; img-src 'self' data:; font-src data:`;
  return { page, headers: pageHeaders(sources) };
}

/** The source expression of the page's only script, which ends where a browser ends it.
 *  Source: https://www.w3.org/TR/CSP3/#match-element-to-source-list */
function hashOfScript(page: string): string {
  const from = page.indexOf("<script>") + "<script>".length;
  const script = page.slice(from, page.indexOf("</script", from));
  return `'sha256-${new Bun.CryptoHasher("sha256").update(script).digest("base64")}'`;
}
