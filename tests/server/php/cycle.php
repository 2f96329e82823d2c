<?php
// PHP's own SoapClient asks one operation per line of its input and answers one line of JSON each.
// Arguments: version (11 or 12), URL of the server; the shop's key is in OPENDEPOT_API_KEY.
declare(strict_types=1);

[, $version, $url] = $argv;
$options = [
    'soap_version' => $version === '12' ? SOAP_1_2 : SOAP_1_1,
    'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
    'cache_wsdl' => WSDL_CACHE_NONE,
    'exceptions' => true,
];
$key = ['header' => 'Authorization: Bearer ' . getenv('OPENDEPOT_API_KEY')];
$clients = [
    'sales' => new SoapClient("$url/v1/sales?wsdl", $options + ['stream_context' => stream_context_create(['http' => $key])]),
    'depot' => new SoapClient("$url/v1/depot?wsdl", $options),
];
echo json_encode(['ready' => true]), "\n";

// SoapClient itself writes and reads Base64.
const BYTES = ['context', 'receipt', 'update'];

while (($line = fgets(STDIN)) !== false) {
    $asked = json_decode($line, true, 32, JSON_THROW_ON_ERROR);
    foreach (BYTES as $name) {
        if (isset($asked['given'][$name])) {
            $asked['given'][$name] = base64_decode($asked['given'][$name], true);
        }
    }
    try {
        $header = $asked['header'] ?? null;
        $blocks = $header ? [new SoapHeader($header['namespace'], $header['name'], null, true)] : [];
        $result = $clients[$asked['service']]->__soapCall($asked['operation'], [$asked['given']], null, $blocks);
        foreach (get_object_vars($result) as $child) {
            foreach (BYTES as $name) {
                if (isset($child->$name) && is_string($child->$name)) {
                    $child->$name = base64_encode($child->$name);
                }
            }
        }
        $answer = ['result' => $result];
    } catch (SoapFault $fault) {
        $detail = isset($fault->detail) ? get_object_vars($fault->detail) : [];
        $answer = [
            'code' => $fault->faultcode,
            'text' => $fault->getMessage(),
            'element' => array_key_first($detail) ?? '',
            'detail' => $detail ? reset($detail) : (object) [],
        ];
    }
    echo json_encode($answer, JSON_THROW_ON_ERROR), "\n";
}
