interface Page {
  readonly data: readonly unknown[];
  readonly next_cursor?: string | undefined;
}

/** Reads a list in parts. @returns the first answer, with the elements of all */
export async function allPages<Answer extends Page>(
  read: (cursor: { readonly cursor?: string }) => Promise<Answer>,
): Promise<Answer & { readonly data: Answer["data"][number][] }> {
  const first = await read({});
  const data: Answer["data"][number][] = [...first.data];
  for (let next = first.next_cursor; next !== undefined;) {
    const answer = await read({ cursor: next });
    data.push(...answer.data);
    next = answer.next_cursor;
  }
  return { ...first, data };
}
