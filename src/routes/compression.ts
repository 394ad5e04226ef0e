import { Elysia } from "elysia";
import { compressed, compressMinBytes } from "./formats/compress.ts";
import { encodingOf } from "./formats/negotiate.ts";

/** Compresses JSON answers where the client takes that; answers that see to it themselves stay as they are. */
export function compression() {
  return new Elysia({ name: "compression" }).onAfterHandle(
    { as: "global" },
    async ({ request, responseValue, set }) => {
      if ((set.status ?? 200) !== 200) return undefined;
      const encoding = encodingOf(request);
      if (encoding === undefined) return undefined;
      if (responseValue instanceof Response) {
        if (!isWholeJson(responseValue)) return undefined;
        const body = new Uint8Array(await responseValue.arrayBuffer());
        const { status } = responseValue;
        const headers = new Headers(responseValue.headers);
        if (body.length < compressMinBytes) return new Response(body, { status, headers });
        headers.delete("content-length");
        headers.set("content-encoding", encoding);
        headers.append("vary", "accept-encoding");
        return new Response(await compressed(body, encoding), { status, headers });
      }
      if (typeof responseValue !== "object" || responseValue === null) return undefined;
      const text = JSON.stringify(responseValue);
      const headers = new Headers(set.headers as Record<string, string>);
      headers.set("content-type", "application/json");
      headers.set("vary", "accept, accept-encoding");
      if (text.length < compressMinBytes) return new Response(text, { headers });
      headers.set("content-encoding", encoding);
      return new Response(await compressed(text, encoding), { headers });
    },
  );
}

function isWholeJson({ headers, body }: Response): boolean {
  const isJson = /^application\/(?:[\w.+-]+\+)?json/.test(headers.get("content-type") ?? "");
  return body !== null && isJson && !headers.has("content-encoding");
}
