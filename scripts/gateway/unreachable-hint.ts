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

/** The message of a refused connection without the runtime's words, which ask the reader a question; other messages stay as they are. */
export function withoutRefusal(message: string): string {
  const advice = "nothing listens there: 'bun run dev' starts a pipeline, and --url or PORT says where one is";
  return message.replace(/ECONNREFUSED.*$/s, advice);
}
