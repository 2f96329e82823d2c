<?php
/* CreateOrder on PHP's SoapServer, each request validated with DOMDocument::schemaValidate before the server sees it.
 *
 * Answers whatever is posted to it. The contract lies in the folder that ORDER_SERVICE_CONTRACT names.
 */
declare(strict_types=1);

const SOAP11 = 'http://schemas.xmlsoap.org/soap/envelope/';
const SYMBOLS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

final class Sales
{
    public function CreateOrder(object $order): array
    {
        $orderId = bin2hex(random_bytes(16));
        $ticket = '';
        foreach (str_split(random_bytes(25)) as $byte) {
            $ticket .= SYMBOLS[ord($byte) & 31];
        }
        $licenses = [];
        foreach ($order->orderLine as $place => $line) {
            $licenses[] = [
                'licenseId' => $orderId . '-' . ($place + 1),
                'itemNumber' => $line->itemNumber,
                'quantity' => $line->quantity,
            ];
        }
        return ['receipt' => [
            'orderId' => $orderId,
            'ticket' => implode('-', str_split($ticket, 5)),
            'license' => $licenses,
        ]];
    }
}

/* Says why a message is refused, nothing where it is not. */
function refusal(string $text, string $schema): ?string
{
    libxml_use_internal_errors(true);
    $message = new DOMDocument();
    if (!$message->loadXML($text, LIBXML_NONET)) {
        return 'this is not XML';
    }
    if ($message->doctype !== null) {
        return 'a document type is not allowed';
    }
    $body = $message->getElementsByTagNameNS(SOAP11, 'Body')->item(0);
    if ($body?->firstElementChild === null) {
        return 'this is no message';
    }
    $order = new DOMDocument();
    $order->appendChild($order->importNode($body->firstElementChild, true));
    return $order->schemaValidate($schema) ? null : libxml_get_last_error()->message;
}

$folder = getenv('ORDER_SERVICE_CONTRACT');
$text = file_get_contents('php://input');
$server = new SoapServer("$folder/sales.wsdl", [
    'cache_wsdl' => WSDL_CACHE_MEMORY,
    'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
]);
$refusal = refusal($text, "$folder/order.xsd");
if ($refusal !== null) {
    $server->fault('Client', $refusal);
}
$server->setClass(Sales::class);
$server->handle($text);
