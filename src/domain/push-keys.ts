const keyForm = /^push:([0-9a-f]{40})(?:-[0-9a-f]{40})?$/;

/** The idempotency key of a message of a push. The name of the first message is that of the push: the same push again has the same one.
 *  @param name 40 hexadecimal digits, which follow from the message's content and its sender
 *  @param pushId the name of the push's first message; undefined: this is the first one */
export function pushKey(name: string, pushId: string | undefined): string {
  return pushId === undefined ? `push:${name}` : `push:${pushId}-${name}`;
}

/** The push of a message with this idempotency key; undefined if it is of no push. */
export function pushIdOf(idempotencyKey: string): string | undefined {
  return keyForm.exec(idempotencyKey)?.[1];
}
