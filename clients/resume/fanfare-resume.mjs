// Counts what comes on each channel, so that the server can send what was lost; uses the public API of pusher-js alone.
// The other forms of this file are made from this one: `node build.js`.

export default function fanfareResume(pusher, onResumed, options) {
  // By channel [token, count]: the connection in which the channel was acknowledged, if that connection resumes, and how
  // many messages came since. `of` is pusher-js's object, another one once a channel was left and joined again. Users' own
  // channels have none. Without a prototype, so that no name of a channel is there already.
  const positions = { __proto__: null };
  // Of the present connection, once the server has offered to resume.
  let token;

  const send = (data) => pusher.send_event('fanfare:resume', data);

  const begin = (channel) => ((positions[channel] = [token, 0]).of = pusher.channel(channel));

  const dropLeft = () => {
    for (const channel in positions) if (positions[channel].of != pusher.channel(channel)) delete positions[channel];
  };

  // Global handlers run ahead of all others: an error thrown in one of the page's does not spoil the count.
  pusher.connection.bind_global((type, message) => {
    // Only the message of `state_change` has this.
    if (message && message.current == 'connected') {
      let batch = {};
      let size = (token = 0);
      dropLeft();
      for (const channel in positions) {
        if (positions[channel][0]) {
          batch[channel] = positions[channel];
          // Messages stay far below the server's limit of their size.
          if (!(++size % 40)) {
            send(batch);
            batch = {};
          }
        }
      }
      // Servers that never offered hear nothing.
      if (size) send(batch);
    }
    if (type == 'message') {
      const { event, channel } = message;
      const position = positions[channel];
      let resumed;
      if (event == 'pusher_internal:resume') {
        token = message.data.token;
        send({});
      } else if (event == 'pusher_internal:subscription_succeeded') {
        dropLeft();
        // Where nobody counted, on one side or the other, the server does not answer.
        resumed = positions[channel] && !(position[0] && token) && { replayed: 0, complete: false };
        begin(channel);
      } else if (event == 'fanfare:resumed') {
        resumed = message.data;
      } else if (position && position[0] == token) {
        position[1]++;
      }
      if (resumed && onResumed) onResumed(channel, resumed);
    }
  });

  // A channel that is there already was not counted from its beginning.
  pusher.allChannels().forEach((channel) => channel.subscribed && begin(channel.name));
  // Without a connection, this sends nothing.
  if (options && options.late) send({ late: true });
}
