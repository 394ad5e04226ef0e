/** The URL of a gateway that a user names, as `host:port` or as a URL.
 *  @returns without a slash at its end
 *  @throws TypeError that says what would be right */
export function gatewayAddress(text: string): string {
  const url = /^https?:\/\//i.test(text) ? text : `http://${text}`;
  const isAddress = !/[\s@]/.test(text) && (url === text || !text.includes("://")) && URL.canParse(url);
  if (!isAddress) {
    throw new TypeError(
      `${JSON.stringify(text)} is not usable: expected localhost:8080, or a URL such as https://gateway:8080`,
    );
  }
  return url.replace(/\/+$/, "");
}
