/** False for a Host header that servers may read differently: several hosts, or characters that no host and port have, such as those that
 *  end a host in a URL. An address may have a zone.
 *  Source: https://www.rfc-editor.org/rfc/rfc9112#section-3.2 ("more than one Host header field line or ... an invalid field value") */
export function isHostHeader(value: string): boolean {
  return /^[\w.~:[\]%-]*$/.test(value);
}
