<?php
// Raised before anything is sent.

declare(strict_types=1);

namespace Pusher;

final class PusherException extends \RuntimeException
{
}
