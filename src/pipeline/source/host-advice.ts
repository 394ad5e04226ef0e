/** The advice for those who send a table that names no host. */
export const hostAsParameter = "name the host of all GPUs as the parameter hostname";

/** The message about a file, with the advice for those who send it. */
export function withParameter(message: string): string {
  const advice = /set SOURCE_HOSTNAME (?:if all GPUs are on one host|to the host's name)/;
  return message.replace(advice, hostAsParameter);
}
