/** Bytes that are not the event they should be. The reader adds where it stands in the log (SOURCE_EVENT_CORRUPT). */
export class MalformedEvent extends Error {
  override readonly name = 'MalformedEvent';
}
