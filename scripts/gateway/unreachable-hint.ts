/** What to try after a gateway gave no answer because of TLS, as the end of a sentence; empty if TLS is not the likely reason.
 *  @param reason the error's text: the runtime's errors of fetch have only their text in common */
export function unreachableHint(url: string, reason: string): string {
  if (url.startsWith("http:") && /ECONNRESET|closed unexpectedly/.test(reason)) {
    return `; if the gateway serves TLS, use ${url.replace(/^http:/, "https:")}`;
  }
  if (url.startsWith("https:") && /self.signed|issuer certificate|first certificate/i.test(reason)) {
    return "; TELEMETRY_CA_FILE names the authority that has signed the gateway's certificate";
  }
  return "";
}

/** The same if nothing listens at the URL. */
export function refusedHint(reason: string): string {
  if (!reason.includes("ECONNREFUSED")) return "";
  return "; nothing listens there: 'bun run dev' starts a pipeline, and --url or PORT says where one is";
}
