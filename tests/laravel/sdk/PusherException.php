<?php
// Raised for what is not sent at all.

declare(strict_types=1);

namespace Pusher;

final class PusherException extends \RuntimeException
{
}
