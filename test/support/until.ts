/** Asks again and again. @throws Error where it is not so within ten seconds */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`it did not come about within 10 s: ${isSo.toString()}`);
    await Bun.sleep(20);
  }
}
