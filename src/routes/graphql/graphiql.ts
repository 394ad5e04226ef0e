import type { Plugin } from "graphql-yoga";
import { pageHeaders } from "../http/door/answer-headers.ts";
import { exampleUuid, graphiqlTabs } from "./graphiql-tabs.ts";

interface Rendered {
  readonly page: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** GraphiQL as one page. Its source is 9 MB, and is therefore imported at the first request for the page.
 *
 *  The browser may load nothing from another server, and may run no script but the page's own, which its hash names, and the workers
 *  that the editor makes from it. */
export class GraphiqlPage {
  private rendering: Promise<string> | undefined;
  /** The page for the GPU that the last request was given: nearly all are given the same one. */
  private filled: { readonly uuid: string; readonly rendered: Rendered } | undefined;

  /** @param uuidFor a GPU that the caller of a request may see; undefined if there is none */
  constructor(private readonly uuidFor: (request: Request) => string | undefined) {}

  /** The page, for Yoga. */
  readonly render = (): Promise<string> => (this.rendering ??= render());

  /** Fills the queries of HTML responses with a GPU, and gives them the headers of the page. */
  plugin(): Plugin {
    return {
      onResponse: async (event) => {
        const { request, response } = event;
        if (response.headers.get("content-type")?.startsWith("text/html") !== true) return;
        const { page, headers } = this.filledWith(await this.render(), this.uuidFor(request) ?? exampleUuid);
        event.setResponse(new Response(page, { status: response.status, headers }));
      },
    };
  }

  private filledWith(page: string, uuid: string): Rendered {
    // nothing else of a text may get into a script
    const safe = /^[\w:.-]{1,200}$/.test(uuid) ? uuid : exampleUuid;
    if (this.filled?.uuid !== safe) {
      this.filled = { uuid: safe, rendered: withHeaders(page.replaceAll(exampleUuid, () => safe)) };
    }
    return this.filled.rendered;
  }
}

async function render(): Promise<string> {
  const { renderGraphiQL } = await import("@graphql-yoga/render-graphiql");
  const title = "GPU telemetry pipeline: GraphQL";
  return renderGraphiQL({ title, subscriptionsProtocol: "WS", defaultTabs: [...graphiqlTabs] });
}

function withHeaders(page: string): Rendered {
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
