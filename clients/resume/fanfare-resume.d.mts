/** What the server says of a channel that is subscribed again. */
export interface Resumed {
  /** Number of missed messages that came before this word. */
  replayed: number;
  /** `false`: something may be missing, and the page fetches its state. */
  complete: boolean;
}

export interface Options {
  /** The client may be connected already, and its server is Fanfare: ask for what the add-on came too late to hear. */
  late?: boolean;
}

/** A client of pusher-js 7 or 8; with Laravel Echo, `echo.connector.pusher`. */
export interface PusherClient {
  connection: { bind_global(callback: (event: string, data: any) => void): unknown };
  channel(name: string): unknown;
  allChannels(): Array<{ name: string; subscribed: boolean }>;
  send_event(event: string, data: any): unknown;
}

/**
 * Has a client count what it gets, so that the server can send what the client missed while its connection was cut. To be
 * called in the same turn of the event loop in which the client is made.
 *
 * @param onResumed is called for each channel that is subscribed again after a cut.
 */
export default function fanfareResume(
  pusher: PusherClient,
  onResumed?: ((channel: string, resumed: Resumed) => void) | null,
  options?: Options,
): void;
