//! A function of the API that only answers 200: the floor of every invocation. It has the runtime of the
//! functions, one thread, or several where Lambda sends several events at once.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};

fn main() -> Result<(), Error> {
    let mut runtime = match std::env::var_os("AWS_LAMBDA_MAX_CONCURRENCY") {
        Some(_) => tokio::runtime::Builder::new_multi_thread(),
        None => tokio::runtime::Builder::new_current_thread(),
    };
    let answer = service_fn(async |_: LambdaEvent<ApiGatewayV2httpRequest>| {
        let mut answer = ApiGatewayV2httpResponse::default();
        answer.status_code = 200;
        Ok::<_, Error>(answer)
    });
    let serving = async { Runtime::new(answer).run_concurrent().await };
    runtime.enable_all().build()?.block_on(serving)
}
