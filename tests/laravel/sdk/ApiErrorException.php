<?php
// By this class Laravel knows that the library is of version 5 or newer, and it is what such a library raises.

declare(strict_types=1);

namespace Pusher;

final class ApiErrorException extends \RuntimeException
{
}
