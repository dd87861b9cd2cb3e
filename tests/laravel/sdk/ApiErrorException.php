<?php
// This class tells Laravel that the library is of version 5 or newer; such a library raises it.

declare(strict_types=1);

namespace Pusher;

final class ApiErrorException extends \RuntimeException
{
}
