/** JavaScript for a page: the bytes of a canvas's pixels, four of each (red, green, blue, alpha). It reads a copy, because Chromium warns
 *  of a canvas that is read more than once.
 *  @param canvas  an expression for it */
export function pixelsOf(canvas: string): string {
  return `((from) => {
    const copy = new OffscreenCanvas(from.width, from.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(from, 0, 0);
    return [...copy.getImageData(0, 0, from.width, from.height).data];
  })(${canvas})`;
}
